import { type Kernel, KernelMessage } from '@jupyterlab/services';
import { type ISignal, Signal } from '@lumino/signaling';

import { type KernelStatus, RequestError } from '../panel/host';
import { COMM_ID, type Request } from '../protocol';
import type { AutoLoad } from './autoload';
import { loadHelper, probeHelper } from './helper';
import { Questions } from './questions';
import { RunningCells } from './running';

/**
 * The way to one kernel, over one of the connections that notebooks and consoles have to it.
 *
 * A restart keeps the connection; what ran and what was asked before it is forgotten.
 */
export class KernelLink {
  /** `language` as the kernel's spec names it; null where that is not known. */
  constructor(
    readonly kernel: Kernel.IKernelConnection,
    private readonly language: string | null,
    private readonly autoLoad: AutoLoad,
  ) {
    this.questions = new Questions(kernel);
    kernel.iopubMessage.connect(this.onMessage, this);
    kernel.statusChanged.connect(this.onStatus, this);
    kernel.connectionStatusChanged.connect(this.onConnection, this);
    autoLoad.switchedOn.connect(this.onAutoLoad, this);
  }

  /** To be called once those who listen have connected. */
  start(): void {
    void this.kernel.info.then(this.introduce, () => undefined);
    void this.prepare();
  }

  get status(): KernelStatus {
    return this._status;
  }

  get restarting(): boolean {
    return this.kernel.status === 'restarting' || this.kernel.status === 'autorestarting';
  }

  /**
   * Whether a cell runs. A kernel that sends pages but has not introduced itself was busy when this browser page was
   * loaded, and still is.
   */
  get busy(): boolean {
    return this.running.any || (this._status.type === 'ready' && !this.introduced);
  }

  /** Emitted when status, `busy` or `restarting` has changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Emitted when the kernel has been connected, for the first time or anew. */
  get connected(): ISignal<this, void> {
    return this._connected;
  }

  /** Emitted with each page as it came. */
  get paged(): ISignal<this, unknown> {
    return this._paged;
  }

  async load(): Promise<void> {
    await this.settle(loadHelper);
  }

  ask(request: Request): Promise<unknown> {
    if (this.kernel.isDisposed || this.kernel.connectionStatus !== 'connected') {
      return Promise.reject(new RequestError('disconnected', 'The kernel is not connected.'));
    }
    return this.questions.ask(request);
  }

  dispose(): void {
    this.turn = Number.NaN;
    this.questions.dispose();
    Signal.clearData(this);
  }

  /**
   * Sees to it that the helper is there, unless the user prefers not to. What is sent before the kernel is ready waits in
   * line, and must be the first there: the user's cells may follow at once ("Run All"), and their calls would go unseen.
   */
  private async prepare(): Promise<void> {
    this._connected.emit();
    await this.settle(async (kernel) => {
      const language = this.language ?? (await kernel.info).language_info.name;
      if (language !== 'python') {
        return { type: 'other-language', language };
      }
      return this.autoLoad.on ? loadHelper(kernel) : probeHelper(kernel);
    });
  }

  /** Takes the status that `find` comes to, unless another search has begun meanwhile. */
  private async settle(find: (kernel: Kernel.IKernelConnection) => Promise<KernelStatus>): Promise<void> {
    this.turn += 1;
    const turn = this.turn;
    this.become({ type: this.introduced ? 'loading' : 'connecting' });
    const status = await find(this.kernel).catch(failed);
    if (turn === this.turn) {
      this.become(status);
    }
  }

  private readonly introduce = (): void => {
    this.introduced = true;
    if (this._status.type === 'connecting') {
      this.become({ type: 'loading' });
    } else {
      this._changed.emit();
    }
  };

  private become(status: KernelStatus): void {
    this._status = status;
    this._changed.emit();
  }

  private onMessage(_: unknown, message: KernelMessage.IIOPubMessage): void {
    if (KernelMessage.isCommMsgMsg(message) && message.content.comm_id === COMM_ID) {
      this.onPage(message.content.data);
    } else if (KernelMessage.isStatusMsg(message)) {
      this.running.receive(message);
      this._changed.emit();
    } else {
      this.questions.receive(message);
    }
  }

  private onPage(page: unknown): void {
    if (this._status.type !== 'ready') {
      this.become({ type: 'ready' });
    }
    this._paged.emit(page);
  }

  private onStatus(): void {
    if (this.restarting) {
      this.turn += 1;
      this.running.forget();
      this.questions.forget('The kernel was restarted.');
      this.become({ type: 'connecting' });
    } else {
      this._changed.emit();
    }
  }

  /** Also comes after each restart, since JupyterLab then connects anew. */
  private onConnection(_: unknown, status: Kernel.ConnectionStatus): void {
    if (status !== 'connected') {
      this.lost = true;
      this.questions.forget('The connection to the kernel was lost.');
    } else if (this.lost) {
      this.lost = false;
      void this.prepare();
    }
  }

  private onAutoLoad(): void {
    if (this._status.type === 'not-loaded') {
      void this.load();
    }
  }

  private readonly questions: Questions;
  private readonly running = new RunningCells();
  private readonly _changed = new Signal<this, void>(this);
  private readonly _connected = new Signal<this, void>(this);
  private readonly _paged = new Signal<this, unknown>(this);
  private _status: KernelStatus = { type: 'connecting' };
  private introduced = false;
  private lost = false;
  private turn = 0;
}

function failed(reason: unknown): KernelStatus {
  return { type: 'failed', message: reason instanceof Error ? reason.message : String(reason) };
}
