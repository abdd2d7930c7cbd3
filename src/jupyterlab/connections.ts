import type { Kernel } from '@jupyterlab/services';
import { type ISignal, Signal } from '@lumino/signaling';

type Connection = Kernel.IKernelConnection;

/** The connections that open notebooks and consoles have to one kernel. A restart shows on the one that asked for it. */
export class Connections {
  /** Takes another one in. Doing so twice is harmless. */
  add(connection: Connection): void {
    this.all.add(connection);
    connection.statusChanged.connect(this.onStatus, this);
    connection.connectionStatusChanged.connect(this.onConnection, this);
  }

  get restarting(): boolean {
    return [...this.all].some((connection) => !connection.isDisposed && isRestarting(connection));
  }

  /** Emitted when the state of any of them has changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Emitted when a restart begins. */
  get restarted(): ISignal<this, void> {
    return this._restarted;
  }

  get lost(): ISignal<this, Connection> {
    return this._lost;
  }

  /** Also emitted after each restart, since JupyterLab then connects anew. */
  get regained(): ISignal<this, Connection> {
    return this._regained;
  }

  dispose(): void {
    Signal.clearData(this);
    this.all.clear();
  }

  private onStatus(connection: Connection): void {
    if (isRestarting(connection)) {
      this._restarted.emit();
    }
    this._changed.emit();
  }

  private onConnection(connection: Connection, status: Kernel.ConnectionStatus): void {
    if (status !== 'connected') {
      this.away.add(connection);
      this._lost.emit(connection);
    } else if (this.away.delete(connection)) {
      this._regained.emit(connection);
    }
    this._changed.emit();
  }

  private readonly all = new Set<Connection>();
  private readonly away = new WeakSet<Connection>();
  private readonly _changed = new Signal<this, void>(this);
  private readonly _restarted = new Signal<this, void>(this);
  private readonly _lost = new Signal<this, Connection>(this);
  private readonly _regained = new Signal<this, Connection>(this);
}

function isRestarting({ status }: Connection): boolean {
  return status === 'restarting' || status === 'autorestarting';
}
