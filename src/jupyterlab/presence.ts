import type { Kernel } from '@jupyterlab/services';
import { type ISignal, Signal } from '@lumino/signaling';

import type { KernelStatus } from '../panel/host';
import type { Mode } from '../protocol';
import type { AutoLoad } from './autoload';
import { loadHelper, probeHelper } from './helper';

type Connection = Kernel.IKernelConnection;

const NOT_LOADED: KernelStatus = { type: 'not-loaded' };

/** Whether the helper is in the kernel, as far as is known; and sees to it that it is, unless the user prefers not to. */
export class Presence {
  /** In which mode the watch begins where the helper is loaded; null: in its own. */
  mode: Mode | null = null;

  /** `language` as the kernel's spec names it; null where that is not known. */
  constructor(
    private readonly kernel: Connection,
    private readonly language: string | null,
    private readonly autoLoad: AutoLoad,
  ) {
    autoLoad.switchedOn.connect(this.onAutoLoad, this);
    void kernel.info.then(this.introduce, () => undefined);
  }

  get status(): KernelStatus {
    return this._status;
  }

  /** Emitted when `status` or `waiting` has changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /**
   * Whether the kernel sends pages but leaves our request unanswered: it was busy when the connection was made, and still
   * is.
   */
  get waiting(): boolean {
    return this._status.type === 'ready' && !this.settled;
  }

  /**
   * Looks for the helper over a connection that has just been made. What is sent before the kernel is ready waits in
   * line, and must be the first there: the user's cells may follow at once ("Run All"), and their calls would go unseen.
   * So a kernel whose spec names no language is asked before it has told its own; another than Python's makes no sense
   * of the question.
   */
  seek(connection: Connection): Promise<void> {
    return this.settle(async () => {
      if (this.language && !isPython(this.language)) {
        return { type: 'other-language', language: this.language };
      }
      const found = (this.autoLoad.on ? loadHelper(connection, this.mode) : probeHelper(connection)).catch(failed);
      const language = this.language ?? (await languageOf(connection));
      return isPython(language) ? found : { type: 'other-language', language };
    });
  }

  load(): Promise<void> {
    return this.settle(() => loadHelper(this.kernel, this.mode));
  }

  /** The kernel's process has ended, or is about to. */
  forget(): void {
    this.turn += 1;
    this.become({ type: 'connecting' });
  }

  /** A page has come, so the helper is there. */
  pageCame(): void {
    if (this.unloaded) {
      this.lookAgain();
    } else if (this._status.type !== 'ready') {
      this.become({ type: 'ready' });
    }
  }

  /** The helper has closed its comms. */
  unload(): void {
    this.unloaded = true;
    this.become(NOT_LOADED);
  }

  dispose(): void {
    // What is still being looked for comes too late.
    this.turn += 1;
    Signal.clearData(this);
  }

  /** A helper that was unloaded says farewell in a page; one that is loaded again greets in one. */
  private lookAgain(): void {
    if (this.settled) {
      void this.settle(() => probeHelper(this.kernel), NOT_LOADED);
    }
  }

  /** Takes the status that `find` comes to, unless another search has begun meanwhile. */
  private async settle(find: () => Promise<KernelStatus>, meanwhile = this.onTheWay()): Promise<void> {
    this.turn += 1;
    const turn = this.turn;
    this.settled = false;
    this.become(meanwhile);
    const status = await find().catch(failed);
    if (turn === this.turn) {
      this.settled = true;
      this.become(status);
    }
  }

  private onTheWay(): KernelStatus {
    return { type: this.introduced ? 'loading' : 'connecting' };
  }

  private readonly introduce = (): void => {
    this.introduced = true;
    if (this._status.type === 'connecting') {
      this.become({ type: 'loading' });
    }
  };

  private onAutoLoad(): void {
    if (this._status.type === 'not-loaded') {
      void this.load();
    }
  }

  private become(status: KernelStatus): void {
    this._status = status;
    this.unloaded &&= status.type !== 'ready';
    this._changed.emit();
  }

  private readonly _changed = new Signal<this, void>(this);
  private _status: KernelStatus = { type: 'connecting' };
  /** Whether the kernel has said which one it is. */
  private introduced = false;
  /** Whether the last search has come to an end. */
  private settled = false;
  /** Whether the helper was taken out of the kernel, so that a page alone does not mean that it is there. */
  private unloaded = false;
  private turn = 0;
}

function isPython(language: string): boolean {
  return language.toLowerCase() === 'python';
}

async function languageOf(connection: Connection): Promise<string> {
  return (await connection.info).language_info.name;
}

function failed(reason: unknown): KernelStatus {
  return { type: 'failed', message: reason instanceof Error ? reason.message : String(reason) };
}
