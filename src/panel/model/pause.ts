import { type DecodedAnswer, decodeAnswer, type Evaluated, type PausedFrame, type PausedRequest } from '../../protocol';
import type { Stop } from '../host';
import { type Refusal, refusalOf, undecodable, unreadable } from './answer';
import { History } from './history';
import { Reading } from './reading';

/** What is known of the frame. While it is asked, what was known before stays in sight for a moment, and is called old. */
export type Look = { type: 'asking'; before: PausedFrame | null; isLate: boolean } | PausedFrame | Refusal;

/** `ended`: it was given up, and is over by now. */
export type Outcome = { type: 'running' } | { type: 'given-up' } | { type: 'ended' } | Evaluated | Refusal;

export interface Evaluation {
  expression: string;
  outcome: Outcome;
}

export interface Surroundings {
  ask(stop: number, request: PausedRequest): Promise<unknown>;
  /** Called when there is a stop, or none any more. */
  changed(): void;
  /** Calls back after so many milliseconds; returns the way to stop it. */
  later(callback: () => void, milliseconds: number): () => void;
}

/** How long what was shown outlives its pause: a step goes on, and stops again at once. */
export const LINGER = 300;
/** How long a frame is asked before a person is told. */
export const LATE = 1000;
/** After how long the kernel itself gives an evaluation up. */
export const SECONDS = 10;

/** A kernel that a debugger has stopped: its frame, and what was evaluated in it. */
export class Pause {
  readonly history = new History();
  readonly reading = new Reading();
  stop: Stop | null = null;
  /** Whether the kernel goes on. */
  isLeaving = false;
  look: Look = NOTHING;
  evaluation: Evaluation | null = null;
  private stopTimer = () => {};
  private asked = 0;
  private changes = 0;
  private readonly listeners = new Set<() => void>();

  constructor(private readonly around: Surroundings) {}

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Another number after every change. */
  readonly version = (): number => this.changes;

  /** Takes in where the kernel stands now; null: it runs. */
  see(stop: Stop | null): void {
    if (stop) this.enter(stop);
    else this.leave();
  }

  private enter(stop: Stop): void {
    const isAnother = this.stop?.number !== stop.number;
    this.stop = stop;
    this.isLeaving = false;
    if (isAnother) this.evaluation = null;
    void this.inspect();
    this.around.changed();
  }

  /** Asks the frame. An answer that comes when another was asked is dropped. */
  async inspect(): Promise<void> {
    const { stop } = this;
    if (!stop) return;
    const asking: Look = { type: 'asking', before: frameOf(this.look), isLate: false };
    this.become(asking);
    this.wait(LATE, () => this.look === asking && this.become({ ...asking, isLate: true }));
    const mine = ++this.asked;
    const answer = await this.ask(stop, { type: 'inspect' });
    if (mine !== this.asked || this.stop !== stop) return;
    this.stopTimer();
    this.become(answer.type === 'evaluated' ? unreadable('another question was answered') : answer);
  }

  async evaluate(text: string): Promise<void> {
    const expression = text.trim();
    const { stop } = this;
    if (!stop || !expression || this.isEvaluating) return;
    this.history.enter(expression);
    const mine: Evaluation = { expression, outcome: { type: 'running' } };
    this.evaluation = mine;
    this.emit();
    const answer = await this.ask(stop, { type: 'evaluate', expression, seconds: SECONDS });
    if (this.evaluation !== mine) return;
    mine.outcome = mine.outcome.type === 'given-up' ? { type: 'ended' } : outcomeOf(answer);
    this.emit();
    if (answer.type === 'evaluated' && answer.changed.length > 0) void this.inspect();
  }

  get isEvaluating(): boolean {
    return this.evaluation?.outcome.type === 'running';
  }

  /** Waits no longer. The kernel gives up by itself. */
  giveUp(): void {
    if (this.evaluation && this.isEvaluating) this.evaluation.outcome = { type: 'given-up' };
    this.emit();
  }

  type(text: string): void {
    this.history.type(text);
    this.emit();
  }

  walk(way: 'back' | 'forth'): void {
    this.history[way]();
    this.emit();
  }

  dispose(): void {
    this.stopTimer();
    this.stop = null;
    this.evaluation = null;
  }

  private leave(): void {
    if (!this.stop || this.isLeaving) return;
    this.isLeaving = true;
    this.asked += 1;
    this.wait(LINGER, () => this.forget());
    this.emit();
  }

  private forget(): void {
    this.stop = null;
    this.look = NOTHING;
    this.evaluation = null;
    this.emit();
    this.around.changed();
  }

  private async ask(stop: Stop, request: PausedRequest): Promise<DecodedAnswer | Refusal> {
    try {
      const decoded = decodeAnswer(await this.around.ask(stop.number, request));
      return decoded.type === 'ok' ? decoded.value : undecodable(decoded);
    } catch (error) {
      return refusalOf(error);
    }
  }

  private wait(milliseconds: number, callback: () => void): void {
    this.stopTimer();
    this.stopTimer = this.around.later(callback, milliseconds);
  }

  private become(look: Look): void {
    this.look = look;
    this.emit();
  }

  private emit(): void {
    this.changes += 1;
    for (const listener of this.listeners) listener();
  }
}

const NOTHING: Look = { type: 'asking', before: null, isLate: false };

/** The frame that is shown, be it that of the stop before. */
export function frameOf(look: Look): PausedFrame | null {
  if (look.type === 'asking') return look.before;
  return look.type === 'frame' ? look : null;
}

function outcomeOf(answer: DecodedAnswer | Refusal): Evaluated | Refusal {
  return answer.type === 'frame' ? unreadable('another question was answered') : answer;
}
