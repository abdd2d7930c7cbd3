import {
  type Decoded,
  type DecodedPage,
  type DecodedReply,
  decodePage,
  decodeReply,
  type Mode,
  type Request,
} from '../../protocol';
import { type KernelView, RequestError } from '../host';
import { ChosenMode } from './chosenMode';
import { modeOf } from './mode';
import { type Applied, Records } from './records';

/** What keeps the records from being complete. */
export type Trouble =
  | { type: 'busy' }
  | { type: 'disconnected' }
  | { type: 'failed'; message: string }
  | { type: 'other-protocol'; protocol: number };

/** What a kernel's records need from outside. */
export interface Surroundings {
  ask(request: Request): Promise<unknown>;
  /** Called after every change; may be called often. */
  changed(): void;
  /** In which mode the watch is to begin after a restart; null where nobody prefers one. */
  prefer(mode: Mode | null): void;
  /** Calls back after so many milliseconds; returns the way to stop it. */
  later(callback: () => void, milliseconds: number): () => void;
}

export const RETRY_AFTER = 3000;
/** How long a cell runs before a person is told. */
export const LONG_BUSY = 1000;

/** Keeps the records of one kernel complete: takes the pages it is given and asks for those it has missed. */
export class KernelSync {
  readonly records = new Records();
  readonly mode: ChosenMode;
  trouble: Trouble | null = null;
  /** Whether the kernel has been busy for long enough to say so. */
  longBusy = false;
  private view: KernelView | null = null;
  private replaying = false;
  private disposed = false;
  private stopRetry = () => {};
  private stopBusy: (() => void) | null = null;

  constructor(private readonly around: Surroundings) {
    this.mode = new ChosenMode((mode) => around.prefer(mode));
  }

  /** Takes in how the kernel is now. On becoming ready, and when a busy one is free again, what is missing is asked for. */
  see(view: KernelView): void {
    const before = this.view;
    this.view = view;
    this.seeBusy(view.busy);
    if (view.status.type !== 'ready') return;
    const becameReady = before?.status.type !== 'ready' || (before.restarting && !view.restarting);
    if (becameReady || (this.unanswered && !view.busy)) this.replay();
  }

  private seeBusy(busy: boolean): void {
    if (!busy) {
      this.stopBusy?.();
      this.stopBusy = null;
      this.longBusy = false;
    } else {
      this.stopBusy ??= this.around.later(() => this.becomeLongBusy(), LONG_BUSY);
    }
  }

  private becomeLongBusy(): void {
    this.longBusy = true;
    this.changed();
  }

  /** Whether the last question has found nobody to answer it, which may pass. */
  private get unanswered(): boolean {
    return this.trouble?.type === 'busy' || this.trouble?.type === 'disconnected';
  }

  takePage(value: unknown): void {
    const decoded = decodePage(value);
    if (decoded.type !== 'ok') this.refuse(decoded);
    else if (this.apply(decoded.value) === 'gap') this.replay();
    this.changed();
  }

  /** Asks for everything after what is here, page by page. Does nothing while it is already at it. */
  replay(): void {
    if (this.replaying || this.disposed) return;
    this.stopRetry();
    this.replaying = true;
    this.replayAll()
      .then(() => this.settle(null))
      .catch((error) => this.settle(troubleOf(error)));
  }

  get reading(): boolean {
    return this.replaying;
  }

  dispose(): void {
    this.disposed = true;
    this.stopRetry();
    this.stopBusy?.();
  }

  private async replayAll(): Promise<void> {
    do {
      const before = this.progress();
      await this.replayOnce();
      if (!this.records.complete && this.progress() === before) throw new Error('the kernel sends no further records');
    } while (!this.records.complete && !this.disposed);
  }

  private progress(): string {
    return `${this.records.session} ${this.records.upto}`;
  }

  private async replayOnce(): Promise<void> {
    const decoded = decodeReply(await this.around.ask({ type: 'replay', after: this.records.upto }));
    if (decoded.type !== 'ok') throw new Unreadable(decoded);
    if (decoded.value.type === 'refused') throw new Error(decoded.value.message);
    if (decoded.value.type !== 'page') throw new Error(`a replay was answered by "${decoded.value.type}"`);
    this.apply(decoded.value.page, true);
    this.changed();
  }

  private apply(page: DecodedPage, answered = false): Applied {
    const applied = this.records.apply(page, answered);
    const { state } = this.records;
    if (state) this.mode.see(modeOf(state));
    return applied;
  }

  private settle(trouble: Trouble | null): void {
    this.replaying = false;
    this.trouble = trouble;
    if (this.unanswered && this.view?.status.type === 'ready' && !this.view.busy && !this.disposed) {
      this.stopRetry = this.around.later(() => this.replay(), RETRY_AFTER);
    }
    this.changed();
  }

  /** A panel that is gone draws nothing of an answer that comes late. */
  private changed(): void {
    if (!this.disposed) this.around.changed();
  }

  private refuse(decoded: Exclude<Decoded<unknown>, { type: 'ok' }>): void {
    this.trouble = troubleOf(new Unreadable(decoded));
  }
}

class Unreadable extends Error {
  constructor(readonly decoded: Exclude<Decoded<DecodedReply>, { type: 'ok' }>) {
    super(decoded.type === 'error' ? decoded.error.message : `protocol ${decoded.protocol}`);
  }
}

function troubleOf(error: unknown): Trouble {
  if (error instanceof RequestError) return { type: error.code };
  if (error instanceof Unreadable && error.decoded.type === 'other-protocol') return error.decoded;
  return { type: 'failed', message: error instanceof Error ? error.message : String(error) };
}
