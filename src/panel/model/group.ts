import type { Call } from '../../protocol';
import { type CallVerdict, emptyVerdicts, type VerdictTally } from './callVerdict';
import { IdList } from './idList';
import { outputShape } from './uncheckedCall';

/** What a group asks of the log that it is in. */
export interface CallSource {
  get(id: number): Call | undefined;
  verdictOf(id: number): CallVerdict | null;
}

/** Calls of one layer at one place with one expression: what a loop makes. It changes as calls come and go. */
export class Group {
  readonly name: string;
  readonly expression: string;
  readonly site: Call['site'];
  readonly tally: VerdictTally = emptyVerdicts();
  /** Another number after every change of the group or of a call in it. */
  version = 0;
  /** The last call that came whole: what another has in common with it is held once. */
  lastWhole: Call;
  private readonly list = new IdList();
  private readonly inputShapes = new Map<string, { shape: readonly number[]; calls: number }>();
  /** Undefined where it has to be found out anew. */
  private failing: number | null | undefined = null;
  private checkedLast: number | null | undefined = null;

  constructor(
    readonly key: string,
    seed: Call,
    private readonly source: CallSource,
  ) {
    this.name = seed.name;
    this.expression = seed.expression;
    this.site = seed.site;
    this.lastWhole = seed;
  }

  get count(): number {
    return this.list.size;
  }

  get newest(): Call {
    return this.at(0) ?? this.lastWhole;
  }

  get newestId(): number {
    return this.list.newest(0) ?? 0;
  }

  get oldestId(): number {
    return this.list.newest(this.count - 1) ?? 0;
  }

  /** Id of the oldest call that raised or differs; null where none does. */
  get firstFailing(): number | null {
    if (this.failing === undefined) this.failing = this.firstOf(isFailing);
    return this.failing;
  }

  /** Id of the newest call of which something was compared; null where none was. */
  get newestChecked(): number | null {
    if (this.checkedLast === undefined) this.checkedLast = this.lastOf(isChecked);
    return this.checkedLast;
  }

  /** Shapes of inputs that occur, of calls that did not raise. */
  get inputs(): (readonly number[])[] {
    return [...this.inputShapes.values()].map(({ shape }) => shape);
  }

  /** Shapes of outputs that occur. */
  get outputs(): number[][] {
    return this.inputs.map((shape) => outputShape(shape, this.newest));
  }

  /** Oldest first; good until the next change. */
  ids(): Uint32Array {
    return this.list.ascending();
  }

  /** 0: the newest. */
  idAt(index: number): number | undefined {
    return this.list.newest(index);
  }

  at(index: number): Call | undefined {
    const id = this.list.newest(index);
    return id === undefined ? undefined : this.source.get(id);
  }

  /** The place of a call, newest first; -1 where it is in no such place. */
  indexOf(id: number): number {
    return this.list.indexOf(id);
  }

  /** The call is in this group from now on; what came of it is counted apart. */
  join(id: number): void {
    this.list.add(id);
    this.touch();
  }

  leave(id: number): void {
    this.list.remove(id);
    this.touch();
  }

  /** Counts what came of one of the calls, `by` 1, or no longer, by -1. */
  tell(id: number, verdict: CallVerdict, shape: readonly number[] | null, by: 1 | -1): void {
    this.tally[verdict] += by;
    if (shape) this.countShape(shape, by);
    if (isFailing(verdict)) this.failing = nearest(this.failing, id, by, Math.min);
    if (isChecked(verdict)) this.checkedLast = nearest(this.checkedLast, id, by, Math.max);
    this.touch();
  }

  /** What is asked of it may have another answer. */
  touch(): void {
    this.version += 1;
  }

  private firstOf(wanted: Wanted): number | null {
    return this.ids().find((id) => this.is(id, wanted)) ?? null;
  }

  private lastOf(wanted: Wanted): number | null {
    for (let at = 0; at < this.count; at++) {
      const id = this.idAt(at);
      if (id !== undefined && this.is(id, wanted)) return id;
    }
    return null;
  }

  private is(id: number, wanted: Wanted): boolean {
    const verdict = this.source.verdictOf(id);
    return verdict !== null && wanted(verdict);
  }

  private countShape(shape: readonly number[], by: 1 | -1): void {
    const key = shape.join();
    const known = this.inputShapes.get(key) ?? { shape, calls: 0 };
    known.calls += by;
    if (known.calls > 0) this.inputShapes.set(key, known);
    else this.inputShapes.delete(key);
  }
}

type Wanted = (verdict: CallVerdict) => boolean;

/** The first or last of some ids when one more is among them or one less; undefined where it has to be found anew. */
function nearest(known: number | null | undefined, id: number, by: 1 | -1, of: typeof Math.min) {
  if (known === undefined || (by < 0 && known === id)) return undefined;
  return by < 0 ? known : of(known ?? id, id);
}

function isFailing(verdict: CallVerdict): boolean {
  return verdict === 'failed' || verdict === 'differs';
}

function isChecked(verdict: CallVerdict): boolean {
  return verdict === 'differs' || verdict === 'rounding' || verdict === 'identical';
}
