import type { DecodedEnvelope, DecodedPage, State, Tensors } from '../../protocol';
import { CallLog } from './callLog';
import { Reading } from './reading';

/** `gap`: something before the page is missing. `stale`: the page is of a session that has ended. */
export type Applied = 'in-order' | 'gap' | 'stale';

/**
 * What is known of one kernel: the newest event of each entity, of its newest session.
 *
 * Every envelope is taken at most once: `upto` and the sequence number of what it would replace tell it from a
 * duplicate. A page beyond a gap is taken too, so that a busy kernel stays live; `upto` waits until the gap is filled.
 */
export class Records {
  session: string | null = null;
  /** Everything up to this sequence number has been taken. */
  upto = 0;
  /** The highest sequence number known to exist. */
  horizon = 0;
  state: State | null = null;
  tensors: Tensors | null = null;
  calls = new CallLog();
  /** What a person has done with them. */
  reading = new Reading();
  /** How often the records were cleared. */
  clearings = 0;
  /** Names of the kinds of event that this build does not know. */
  unknown = new Set<string>();
  private stateSeq = 0;
  private tensorsSeq = 0;
  private readonly ended = new Set<string>();
  /** Whether a call or a tensor of this session has come. */
  private begun = false;

  /** Takes a page. `answered`: it is the answer to a replay from `upto`, so nothing that can be had lies before it. */
  apply(page: DecodedPage, answered = false): Applied {
    if (this.ended.has(page.session)) return 'stale';
    const fresh = page.session !== this.session;
    if (fresh) this.begin(page.session);
    this.horizon = Math.max(this.horizon, page.latest);
    for (const envelope of page.envelopes) this.take(envelope);
    if (page.after > this.upto && (fresh || !answered)) return 'gap';
    this.upto = Math.max(this.upto, page.upto);
    return 'in-order';
  }

  /** Whether the kernel has been restarted and nothing has happened in it since. */
  get restarted(): boolean {
    return this.ended.size > 0 && !this.begun;
  }

  get complete(): boolean {
    return this.session !== null && this.upto >= this.horizon;
  }

  private begin(session: string): void {
    if (this.session !== null) this.ended.add(this.session);
    this.session = session;
    this.begun = false;
    this.upto = this.horizon = this.stateSeq = this.tensorsSeq = 0;
    this.state = this.tensors = null;
    this.calls = new CallLog();
    this.reading = new Reading();
    this.clearings = 0;
    this.unknown = new Set();
  }

  private take({ seq, event }: DecodedEnvelope): void {
    if (seq <= this.upto) return;
    this.begun ||= event.type === 'call' || event.type === 'run' || (event.type === 'tensors' && event.rows.length > 0);
    if (event.type === 'call') this.calls.put(event, seq);
    else if (event.type === 'cleared') this.clear(event.up_to);
    else if (event.type === 'state') this.takeState(event, seq);
    else if (event.type === 'tensors') this.takeTensors(event, seq);
    else if (event.type === 'run') this.calls.putRun(event);
    // A comparison stands where it was asked for, in the notebook.
    else if (event.type !== 'comparison') this.unknown.add(event.name);
  }

  private clear(upTo: number): void {
    this.calls.clear(upTo);
    this.clearings += 1;
  }

  private takeState(state: State, seq: number): void {
    if (seq <= this.stateSeq) return;
    this.stateSeq = seq;
    this.state = state;
  }

  private takeTensors(tensors: Tensors, seq: number): void {
    if (seq <= this.tensorsSeq) return;
    this.tensorsSeq = seq;
    this.tensors = tensors;
  }
}
