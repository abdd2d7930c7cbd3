import type { Call } from '../../protocol';
import { type CallSource, Group } from './group';

/** Seconds. Groups whose newest calls lie closer together keep their order, so that the layers of a loop stand still. */
const TOGETHER = 2;

interface Standing {
  group: Group;
  /** Whether it was called just now. */
  active: boolean;
  /** Its newest call when it became so. */
  since: number;
}

/** The groups of a log, that with the newest call first. */
export class Groups {
  private readonly standings = new Map<string, Standing>();
  private order: readonly Group[] = [];
  private stale = false;

  constructor(private readonly source: CallSource) {}

  /** The group that the call belongs to, a new one where it is the first. */
  of(call: Call): Group {
    const key = keyOf(call);
    const known = this.standings.get(key);
    if (known) return known.group;
    const group = new Group(key, call, this.source);
    this.standings.set(key, { group, active: false, since: 0 });
    return group;
  }

  /** A call was added to a group or taken from it. */
  changed(): void {
    this.stale = true;
  }

  /** The same list until it changes. `timeOf`: when a call was made. */
  inOrder(timeOf: (id: number) => number): readonly Group[] {
    if (this.stale) this.arrange(timeOf);
    this.stale = false;
    return this.order;
  }

  private arrange(timeOf: (id: number) => number): void {
    for (const [key, { group }] of this.standings) if (group.count === 0) this.standings.delete(key);
    const all = [...this.standings.values()];
    const latest = all.reduce((newest, { group }) => Math.max(newest, group.newestId), 0);
    const recent = timeOf(latest) - TOGETHER;
    for (const standing of all) {
      const active = timeOf(standing.group.newestId) >= recent;
      if (active && !standing.active) standing.since = standing.group.newestId;
      standing.active = active;
    }
    const order = all.sort(newestFirst).map(({ group }) => group);
    if (order.length !== this.order.length || order.some((group, at) => group !== this.order[at])) this.order = order;
  }
}

function newestFirst(a: Standing, b: Standing): number {
  if (a.active !== b.active) return a.active ? -1 : 1;
  return a.active ? b.since - a.since : b.group.newestId - a.group.newestId;
}

/** A cell that is run again is another place: its text may be another. */
function keyOf({ name, expression, rank, site: { cell_id, execution_count, file, line } }: Call): string {
  return JSON.stringify([name, expression, rank, cell_id ?? file, execution_count, line]);
}

/** Those that are listed: calls that raised are told apart, so groups of nothing else are not. */
export function listed(groups: readonly Group[]): readonly Group[] {
  return groups.filter(({ count, tally }) => tally.failed < count);
}
