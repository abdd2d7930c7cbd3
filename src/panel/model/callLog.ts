import type { Call } from '../../protocol';
import { emptyTally, type Outcome, outcome, type Tally } from './outcome';

/** How many calls the panel keeps of one kernel. */
export const CAPACITY = 50_000;

interface Entry {
  call: Call;
  seq: number;
  outcome: Outcome;
}

/** The calls of one session in order of their ids; beyond its capacity the oldest fall off and are counted. */
export class CallLog {
  /** Calls that fell off here. */
  fellOff = 0;
  readonly tally: Tally = emptyTally();
  private entries = new Map<number, Entry>();
  private ids: number[] = [];
  private gone = 0;

  constructor(private readonly capacity = CAPACITY) {}

  get size(): number {
    return this.ids.length;
  }

  /** Adds the call, or replaces an older state of it. */
  put(call: Call, seq: number): void {
    const known = this.entries.get(call.id);
    if (call.id <= this.gone || (known && known.seq >= seq)) return;
    if (known) this.tally[known.outcome] -= 1;
    else this.insert(call.id);
    const entry = { call, seq, outcome: outcome(call) };
    this.tally[entry.outcome] += 1;
    this.entries.set(call.id, entry);
    if (this.ids.length > this.capacity) this.dropOldest();
  }

  /** Forgets the calls with an id of at most `upTo`; a late event about one of them is not taken any more. */
  clear(upTo: number): void {
    if (upTo <= this.gone) return;
    const kept = this.ids.findIndex((id) => id > upTo);
    for (const id of this.ids.splice(0, kept < 0 ? this.ids.length : kept)) this.forget(id);
    this.gone = upTo;
    this.fellOff = 0;
  }

  get(id: number): Call | undefined {
    return this.entries.get(id)?.call;
  }

  /** The newest `count` calls that are wanted, newest first. */
  newest(count: number, wanted: (outcome: Outcome, id: number) => boolean): Call[] {
    const found: Call[] = [];
    for (let at = this.ids.length - 1; at >= 0 && found.length < count; at--) {
      const entry = this.entries.get(this.ids[at] ?? 0);
      if (entry && wanted(entry.outcome, entry.call.id)) found.push(entry.call);
    }
    return found;
  }

  private insert(id: number): void {
    let at = this.ids.length;
    if (at && (this.ids[at - 1] ?? 0) > id) at = this.placeOf(id);
    this.ids.splice(at, 0, id);
  }

  private placeOf(id: number): number {
    let [low, high] = [0, this.ids.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.ids[middle] ?? 0) < id) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private dropOldest(): void {
    const id = this.ids.shift();
    if (id === undefined) return;
    this.forget(id);
    this.gone = id;
    this.fellOff += 1;
  }

  private forget(id: number): void {
    const entry = this.entries.get(id);
    if (entry) this.tally[entry.outcome] -= 1;
    this.entries.delete(id);
  }
}
