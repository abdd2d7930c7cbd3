import type { Call, Run } from '../../protocol';
import { CALL_VERDICTS, type CallVerdict, callVerdict, emptyVerdicts, type VerdictTally } from './callVerdict';
import { Columns } from './columns';
import type { Group } from './group';
import { Groups } from './groups';
import { Patterns } from './patterns';
import { Pool, shared } from './shared';
import { type Short, uncheckedCall } from './uncheckedCall';

/** How many calls the panel keeps of one kernel. */
export const CAPACITY = 250_000;

/** How many calls that were told in short are kept whole, once drawn. */
const MADE = 1000;

interface Whole {
  call: Call;
  seq: number;
  group: Group;
}

/** The kinds of calls in the columns: told in short, the same but like a call that has not come, and whole by verdict. */
const SHORT = 1;
const WAITING = 2;
const WHOLE = 3;

/**
 * The calls of one session in order of their ids; beyond its capacity the oldest fall off and are counted.
 *
 * A call that was told in short is a row of numbers until it is asked for. It is in a group once the call that it is like
 * has come.
 */
export class CallLog {
  /** Calls that fell off here. */
  fellOff = 0;
  readonly tally: VerdictTally = emptyVerdicts();
  /** Another number after every change. */
  version = 0;
  private readonly columns = new Columns();
  private readonly whole = new Map<number, Whole>();
  private readonly patterns = new Patterns();
  private readonly shapes = new Pool<readonly number[]>((shape) => shape.join());
  private readonly reasons = new Pool<string>((reason) => reason);
  private readonly made = new Map<number, Call>();
  private readonly grouped = new Groups(this);
  private gone = 0;

  constructor(private readonly capacity = CAPACITY) {}

  get size(): number {
    return this.columns.size;
  }

  /** Calls of one layer at one place, that with the newest first; the same list until there is another one. */
  groups(): readonly Group[] {
    return this.grouped.inOrder((id) => this.whole.get(id)?.call.time ?? this.columns.get('time', id));
  }

  /** The group that a call is in; none while the call that it is like has not come. */
  groupOf(id: number): Group | undefined {
    if (this.columns.kind(id) === WAITING) return undefined;
    return this.whole.get(id)?.group ?? this.patterns.get(this.columns.get('like', id))?.group ?? undefined;
  }

  /** Adds the call, or replaces an older state of it, or what was told of it in short. */
  put(call: Call, seq: number): void {
    const known = this.whole.get(call.id);
    if (known && known.seq >= seq) return;
    this.version += 1;
    if (call.id > this.gone) this.place(known ? shared(call, known.call) : call, seq);
    else this.teach(call, this.grouped.of(call), seq);
    this.dropBeyondCapacity();
  }

  /** Adds calls that were told in short. Those that are here already stay. */
  putRun({ first, like, shape, shapes, time, seconds, reason }: Run): void {
    this.version += 1;
    const apart = seconds / Math.max(1, like.length - 1);
    for (const [at, id] of like.entries()) {
      const of = shapes[shape[at] ?? 0] ?? [];
      this.placeShort({ id: first + at, shape: of, time: time + at * apart, reason }, id);
    }
    this.dropBeyondCapacity();
  }

  /** Forgets the calls with an id of at most `upTo`; a late event about one of them is not taken any more. */
  clear(upTo: number): void {
    if (upTo <= this.gone) return;
    this.version += 1;
    for (let id = this.columns.oldest; id !== null && id <= upTo; id = this.columns.oldest) this.forget(id);
    this.gone = upTo;
    this.fellOff = 0;
  }

  /** Undefined too while the call that it is like has not come. */
  get(id: number): Call | undefined {
    return this.whole.get(id)?.call ?? this.made.get(id) ?? this.make(id);
  }

  verdictOf(id: number): CallVerdict | null {
    const kind = this.columns.kind(id);
    return kind ? verdictOfKind(kind) : null;
  }

  /** The newest `count` calls that are wanted, newest first. */
  newest(count: number, wanted: (verdict: CallVerdict, id: number) => boolean): Call[] {
    const found: Call[] = [];
    this.columns.eachNewestFirst((id, kind) => {
      const call = wanted(verdictOfKind(kind), id) ? this.get(id) : undefined;
      if (call) found.push(call);
      return found.length < count;
    });
    return found;
  }

  private place(call: Call, seq: number): void {
    const { id } = call;
    const [before, group] = [this.groupOf(id), this.grouped.of(call)];
    this.tell(id, -1);
    this.releaseShort(id);
    const kept = shared(call, group.lastWhole);
    group.lastWhole = kept;
    this.whole.set(id, { call: kept, seq, group });
    this.columns.set(id, WHOLE + CALL_VERDICTS.indexOf(callVerdict(kept)));
    if (before !== group) this.regroup(id, before, group);
    this.tell(id, 1);
    this.teach(kept, group, seq);
  }

  private placeShort({ id, shape, time, reason }: Short, like: number): void {
    if (id <= this.gone || this.columns.kind(id)) return;
    const pattern = this.patterns.use(like, this.whole.get(like));
    const numbers = { shape: this.shapes.take(shape), reason: this.reasons.take(reason), like, time };
    this.columns.set(id, pattern.group ? SHORT : WAITING, numbers);
    if (pattern.group) this.regroup(id, undefined, pattern.group);
    else pattern.waiting.push(id);
    this.tell(id, 1);
  }

  private regroup(id: number, from: Group | undefined, to: Group | undefined): void {
    from?.leave(id);
    to?.join(id);
    this.grouped.changed();
  }

  /** Counts what came of a call, here and in its group. */
  private tell(id: number, by: 1 | -1): void {
    const verdict = this.verdictOf(id);
    if (!verdict) return;
    this.tally[verdict] += by;
    this.groupOf(id)?.tell(id, verdict, this.inputShape(id), by);
  }

  /** Takes in what a call is by now that others are like. */
  private teach(call: Call, group: Group, seq: number): void {
    const pattern = this.patterns.get(call.id);
    if (!pattern || pattern.seq >= seq) return;
    const before = pattern.group;
    Object.assign(pattern, { call, group, seq });
    this.made.clear();
    this.admit(pattern.waiting.splice(0), call.id, group);
    if (before && before !== group) this.move(call.id, before, group);
    else group.touch();
  }

  /** Those of the ids that still wait, which a call told whole in the meantime does not. */
  private admit(ids: number[], like: number, group: Group): void {
    for (const id of ids) {
      if (this.columns.kind(id) !== WAITING || this.columns.get('like', id) !== like) continue;
      this.columns.become(id, SHORT);
      this.regroup(id, undefined, group);
      group.tell(id, 'unchecked', this.shapeOf(id), 1);
    }
  }

  /** After `like` has turned out to be of another group than was told first. */
  private move(like: number, from: Group, to: Group): void {
    const ids = from.ids().filter((id) => this.columns.kind(id) === SHORT && this.columns.get('like', id) === like);
    for (const id of ids) {
      from.tell(id, 'unchecked', this.shapeOf(id), -1);
      this.regroup(id, from, to);
      to.tell(id, 'unchecked', this.shapeOf(id), 1);
    }
  }

  private make(id: number): Call | undefined {
    if (this.columns.kind(id) !== SHORT) return undefined;
    const like = this.patterns.get(this.columns.get('like', id))?.call;
    if (!like) return undefined;
    const reason = this.reasons.get(this.columns.get('reason', id)) ?? '';
    const call = uncheckedCall(like, { id, shape: [...this.shapeOf(id)], time: this.columns.get('time', id), reason });
    if (this.made.size >= MADE) this.made.clear();
    this.made.set(id, call);
    return call;
  }

  private shapeOf(id: number): readonly number[] {
    return this.shapes.get(this.columns.get('shape', id)) ?? [];
  }

  private dropBeyondCapacity(): void {
    while (this.size > this.capacity) {
      const id = this.columns.oldest;
      if (id === null) return;
      this.forget(id);
      this.gone = id;
      this.fellOff += 1;
    }
  }

  private forget(id: number): void {
    const group = this.groupOf(id);
    this.tell(id, -1);
    this.releaseShort(id);
    this.whole.delete(id);
    this.columns.delete(id);
    this.regroup(id, group, undefined);
  }

  private releaseShort(id: number): void {
    const kind = this.columns.kind(id);
    if (kind !== SHORT && kind !== WAITING) return;
    this.shapes.release(this.columns.get('shape', id));
    this.reasons.release(this.columns.get('reason', id));
    this.patterns.release(this.columns.get('like', id));
    this.made.delete(id);
  }

  /** Null where it does not count among those that occur. */
  private inputShape(id: number): readonly number[] | null {
    const call = this.whole.get(id)?.call;
    if (!call) return this.shapeOf(id);
    return call.error ? null : (call.operands.input?.shape ?? null);
  }
}

function verdictOfKind(kind: number): CallVerdict {
  return CALL_VERDICTS[kind - WHOLE] ?? 'unchecked';
}
