import type { IDebugger } from '@jupyterlab/debugger';
import { type ISignal, Signal } from '@lumino/signaling';

import { RequestError, type Stop } from '../panel/host';
import { type PausedRequest, pausedAnswer, pausedExpression, type Site } from '../protocol';

type Frame = IDebugger.IStackFrame;

/** A frame in which the debugger stands, of this kernel. */
export interface Pause {
  kernel: string;
  stop: Stop;
}

/**
 * Where JupyterLab's debugger stands, if it does. There is one debugger, on the kernel of one notebook or console, which
 * need not be the one in focus.
 */
export class Pauses {
  /** `cellOf` finds the cell of a kernel whose code fits. */
  constructor(private readonly cellOf: (kernel: string, fits: (code: string) => boolean) => string | null) {}

  get current(): Pause | null {
    return this._current;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  follow(service: IDebugger): void {
    const { callstack } = service.model;
    this.service = service;
    service.eventMessage.connect((_, { event }) => this.onEvent(event));
    // `stopped` tells that the debugger is switched off.
    for (const end of [service.sessionChanged, service.stopped] as ISignal<unknown, unknown>[]) {
      end.connect(this.leave, this);
    }
    callstack.currentFrameChanged.connect(this.look, this);
    callstack.framesChanged.connect(this.look, this);
    this.look();
  }

  /** The kernel has ended, or the debugger has left it. */
  leave(): void {
    this.take(null, null);
  }

  /** What the frame of a stop answers, undecoded. */
  async ask(kernel: string, stop: number, request: PausedRequest): Promise<unknown> {
    const session = this.service?.session;
    if (!session || !this.frame || this._current?.kernel !== kernel || this._current.stop.number !== stop) {
      throw new RequestError('disconnected', 'The kernel has gone on.');
    }
    const asked = { expression: pausedExpression(request), frameId: this.frame.id, context: 'clipboard' };
    const { success, message, body } = await session.sendRequest('evaluate', asked);
    if (!success) {
      throw new Error(reasonOf(message ?? ''));
    }
    return readable(body.result);
  }

  dispose(): void {
    Signal.clearData(this);
  }

  /** Also for a stop: its frames come after it. */
  private onEvent(event: string): void {
    if (event === 'stopped' || event === 'continued' || event === 'terminated') {
      this.leave();
    }
  }

  private look(): void {
    const service = this.service;
    const kernel = service?.session?.connection?.kernel?.id;
    const { frames, frame: chosen } = service?.model.callstack ?? {};
    // JupyterLab keeps the object of a frame that was chosen before, with the line on which it stood then.
    const frame = frames?.find((each) => each.id === chosen?.id) ?? chosen;
    if (!service?.hasStoppedThreads() || !kernel || !frame) {
      this.leave();
    } else if (frame !== this.frame) {
      this.take(kernel, frame);
    }
  }

  private take(kernel: string | null, frame: Frame | null): void {
    const before = this._current;
    this._current = kernel !== null && frame !== null ? { kernel, stop: this.stopAt(kernel, frame) } : null;
    this.frame = frame;
    if (before !== this._current) {
      this._changed.emit();
    }
  }

  /** Of the very frame that stands already, the number stays: somebody only had the frames read again. */
  private stopAt(kernel: string, frame: Frame): Stop {
    const number = this.frame && isSame(frame, this.frame) ? this.number : ++this.number;
    return { number, function: frame.name, site: this.siteOf(kernel, frame) };
  }

  private siteOf(kernel: string, { source, line }: Frame): Site {
    const path = source?.path;
    const cell = path ? this.cellOf(kernel, (code) => this.service?.getCodeId(code) === path) : null;
    return cell === null ? { file: path ?? null, line } : { cell_id: cell, line };
  }

  private service: IDebugger | null = null;
  private frame: Frame | null = null;
  private number = 0;
  private _current: Pause | null = null;
  private readonly _changed = new Signal<this, void>(this);
}

function isSame(one: Frame, other: Frame): boolean {
  return one.id === other.id && one.line === other.line && one.source?.path === other.source?.path;
}

const NO_HELPER = 'Torchtwin isn’t installed in this kernel, so nothing more is known of this frame.';
const OLD_HELPER = 'The Torchtwin of this kernel is older than this page: it can’t tell what is in this frame.';

/** debugpy may tell an error as if it were the result. */
function readable(result: string): unknown {
  try {
    return pausedAnswer(result);
  } catch {
    throw new Error(reasonOf(result));
  }
}

/** Why the expression raised, from a traceback. */
function reasonOf(traceback: string): string {
  const last = traceback.trim().split('\n').at(-1) ?? '';
  if (/ModuleNotFoundError.*'torchtwin'/.test(traceback)) {
    return NO_HELPER;
  }
  return /ModuleNotFoundError.*'torchtwin\./.test(traceback) ? OLD_HELPER : last || 'The debugger gave no answer.';
}
