import { type Kernel, KernelMessage } from '@jupyterlab/services';
import { type ISignal, Signal } from '@lumino/signaling';

import { type KernelStatus, RequestError } from '../panel/host';
import { COMM_ID, type Mode, type Request } from '../protocol';
import type { AutoLoad } from './autoload';
import { Connections } from './connections';
import { Presence } from './presence';
import { KernelProcess } from './process';
import { Questions } from './questions';
import { RunningCells } from './running';

/**
 * The way to one kernel, over one of the connections that notebooks and consoles have to it.
 *
 * A restart keeps the connection; what ran and what was asked before it is forgotten.
 */
export class KernelLink {
  constructor(
    readonly kernel: Kernel.IKernelConnection,
    language: string | null,
    autoLoad: AutoLoad,
  ) {
    this.questions = new Questions(kernel);
    this.presence = new Presence(kernel, language, autoLoad);
    kernel.iopubMessage.connect(this.onMessage, this);
    this.questions.closed.connect(this.presence.unload, this.presence);
    this.presence.changed.connect(this.tell, this);
    this.connections.changed.connect(this.tell, this);
    this.connections.restarted.connect(this.onRestart, this);
    this.connections.lost.connect(this.onLost, this);
    this.connections.regained.connect((_, connection) => this.begin(connection));
    this.follow(kernel);
  }

  /** To be called once those who listen have connected. */
  start(): void {
    this.begin(this.kernel);
  }

  /** Takes notice of another connection to the same kernel. Doing so twice is harmless. */
  follow(connection: Kernel.IKernelConnection): void {
    this.connections.add(connection);
  }

  get status(): KernelStatus {
    if (this.kernel.status === 'dead') {
      return { type: 'dead' };
    }
    return this.kernel.connectionStatus === 'connected' ? this.presence.status : { type: 'connecting' };
  }

  get restarting(): boolean {
    return this.connections.restarting;
  }

  /** Whether a cell runs. */
  get busy(): boolean {
    return this.running.any || this.presence.waiting;
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

  load(): Promise<void> {
    return this.presence.load();
  }

  /** In which mode the watch begins where we load the helper; null: in its own. */
  prefer(mode: Mode | null): void {
    this.presence.mode = mode;
  }

  ask(request: Request): Promise<unknown> {
    if (this.kernel.isDisposed || this.kernel.connectionStatus !== 'connected') {
      return Promise.reject(new RequestError('disconnected', 'The kernel is not connected.'));
    }
    return this.questions.ask(request);
  }

  dispose(): void {
    for (const part of [this.questions, this.presence, this.connections]) {
      part.dispose();
    }
    Signal.clearData(this);
  }

  private begin(connection: Kernel.IKernelConnection): void {
    this._connected.emit();
    void this.presence.seek(connection);
  }

  private onMessage(_: unknown, message: KernelMessage.IIOPubMessage): void {
    if (KernelMessage.isCommMsgMsg(message) && message.content.comm_id === COMM_ID) {
      this.presence.pageCame();
      this._paged.emit(message.content.data);
    } else if (KernelMessage.isStatusMsg(message)) {
      this.onStatus(message);
    } else {
      this.questions.receive(message);
    }
  }

  private onStatus(message: KernelMessage.IStatusMsg): void {
    if (this.process.isReplacedBy(message)) {
      this.forget('The kernel was restarted.');
      this.begin(this.kernel);
    }
    this.running.receive(message);
    this.tell();
  }

  private onRestart(): void {
    this.process.ends();
    this.forget('The kernel was restarted.');
    this.presence.forget();
  }

  private onLost(_: unknown, connection: Kernel.IKernelConnection): void {
    if (connection === this.kernel) {
      this.forget('The connection to the kernel was lost.');
    }
  }

  private forget(reason: string): void {
    this.running.forget();
    this.questions.forget(reason);
  }

  private tell(): void {
    this._changed.emit();
  }

  private readonly questions: Questions;
  private readonly presence: Presence;
  private readonly connections = new Connections();
  private readonly running = new RunningCells();
  private readonly process = new KernelProcess();
  private readonly _changed = new Signal<this, void>(this);
  private readonly _connected = new Signal<this, void>(this);
  private readonly _paged = new Signal<this, unknown>(this);
}
