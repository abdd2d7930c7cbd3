import type { Group } from './group';

/** A line of the list: a call, by itself or unfolded from its group, or the head of a group of several. */
export type Row =
  | { type: 'call'; id: number; group: Group; alone: boolean; place: number; of: number }
  | { type: 'group'; group: Group; unfolded: boolean; place: number; of: number };

export type RowKey = number | string;

/** What a row looks like from afar: a call by itself, one among others of its kind, or the head of these. */
export type RowKind = 'alone' | 'among' | 'group';

interface Stretch {
  group: Group;
  start: number;
  /** Of the group when the list was made. */
  count: number;
  unfolded: boolean;
}

/** The lines of a list of groups, of which some are unfolded. Long ones cost no more than short ones. */
export class Rows {
  readonly count: number;
  private readonly stretches: Stretch[] = [];
  /** By their keys: of a group, only some calls may be listed. */
  private readonly byGroup = new Map<string, number>();

  constructor(groups: readonly Group[], isUnfolded: (group: Group) => boolean) {
    let start = 0;
    for (const group of groups) {
      const { count } = group;
      const unfolded = count > 1 && isUnfolded(group);
      this.byGroup.set(group.key, this.stretches.length);
      this.stretches.push({ group, start, count, unfolded });
      start += unfolded ? count + 1 : 1;
    }
    this.count = start;
  }

  at(index: number): Row | undefined {
    const place = this.stretchAt(index);
    const stretch = this.stretches[place];
    if (!stretch || index >= this.count) return undefined;
    const { group, start, count, unfolded } = stretch;
    const place1 = place + 1;
    const of = this.stretches.length;
    if (count > 1 && index === start) return { type: 'group', group, unfolded, place: place1, of };
    const id = callAt(stretch, count > 1 ? index - start - 1 : 0);
    if (id === undefined) return undefined;
    if (count === 1) return { type: 'call', id, group, alone: true, place: place1, of };
    return { type: 'call', id, group, alone: false, place: index - start, of: count };
  }

  kindAt(index: number): RowKind {
    const stretch = this.stretches[this.stretchAt(index)];
    if (!stretch || stretch.count === 1) return 'alone';
    return index === stretch.start ? 'group' : 'among';
  }

  /** A call keeps its key when others join it. */
  keyAt(index: number): RowKey {
    const stretch = this.stretches[this.stretchAt(index)];
    if (!stretch) return index;
    const { group, start, count } = stretch;
    return (count > 1 && index === start ? group.key : callAt(stretch, count > 1 ? index - start - 1 : 0)) ?? -index;
  }

  /** -1 where it is not in the list, or folded. */
  indexOfCall(id: number, group: Group | undefined): number {
    const stretch = group && this.stretches[this.byGroup.get(group.key) ?? -1];
    const at = stretch && (stretch.unfolded || stretch.count === 1) ? stretch.group.indexOf(id) : -1;
    if (!stretch || at < 0) return -1;
    return stretch.count === 1 ? stretch.start : stretch.start + 1 + at;
  }

  indexOfGroup(group: Group): number {
    return this.stretches[this.byGroup.get(group.key) ?? -1]?.start ?? -1;
  }

  /** The unfolded group among whose calls this line is. */
  unfoldedAt(index: number): Group | null {
    const stretch = this.stretches[this.stretchAt(index)];
    return stretch?.unfolded && index > stretch.start ? stretch.group : null;
  }

  private stretchAt(index: number): number {
    let [low, high] = [0, this.stretches.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.stretches[middle]?.start ?? 0) <= index) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** The group may have got calls since, which stand before those that are meant. */
function callAt({ group, count }: Stretch, index: number): number | undefined {
  return group.idAt(index + Math.max(0, group.count - count));
}
