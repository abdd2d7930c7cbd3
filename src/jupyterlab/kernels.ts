import type { ISessionContext } from '@jupyterlab/apputils';
import type { Kernel } from '@jupyterlab/services';
import { type ISignal, Signal } from '@lumino/signaling';

import type { Mode } from '../protocol';
import type { AutoLoad } from './autoload';
import type { Source } from './focus';
import { KernelLink } from './link';

/** One link to each kernel behind an open notebook or console, however many of these share it. */
export class Kernels {
  constructor(private readonly autoLoad: AutoLoad) {}

  /** Emitted when any of the links or kernels has changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Emitted whenever a kernel has been connected. */
  get connected(): ISignal<this, void> {
    return this._connected;
  }

  /** Emitted with each page and the id of the kernel that it came from. */
  get paged(): ISignal<this, { kernel: string; page: unknown }> {
    return this._paged;
  }

  link(id: string): KernelLink | null {
    return this.links.get(id) ?? null;
  }

  /** From now on the watch in this kernel begins in this mode where we load the helper; null: in its own. */
  prefer(id: string, mode: Mode | null): void {
    this.modes.set(id, mode);
    this.link(id)?.prefer(mode);
  }

  /** The notebooks and consoles of a kernel. */
  sources(id: string): Source[] {
    return [...this.all].filter((source) => source.sessionContext.session?.kernel?.id === id);
  }

  watch(source: Source): void {
    const { sessionContext: context } = source;
    this.all.add(source);
    context.sessionChanged.connect(this.update, this);
    context.kernelChanged.connect(this.update, this);
    context.statusChanged.connect(this.update, this);
    context.connectionStatusChanged.connect(this.update, this);
    context.propertyChanged.connect(this.update, this);
    source.disposed.connect(this.leave, this);
    this.update();
  }

  dispose(): void {
    for (const link of this.links.values()) {
      link.dispose();
    }
    this.links.clear();
    Signal.clearData(this);
  }

  private leave(source: Source): void {
    this.all.delete(source);
    this.update();
  }

  /** Makes the links fit the connections that there are; a link lives as long as its connection. */
  private update(): void {
    const connections = this.connections();
    for (const [id, link] of this.links) {
      if (!connections.has(link.kernel)) {
        this.links.delete(id);
        link.dispose();
      }
    }
    for (const [kernel, context] of connections) {
      const link = this.links.get(kernel.id) ?? this.add(kernel, context);
      link.follow(kernel);
    }
    this._changed.emit();
  }

  private connections(): Map<Kernel.IKernelConnection, ISessionContext> {
    const found = new Map<Kernel.IKernelConnection, ISessionContext>();
    for (const { sessionContext: context } of this.all) {
      const kernel = context.session?.kernel;
      if (kernel && !kernel.isDisposed) {
        found.set(kernel, context);
      }
    }
    return found;
  }

  private add(kernel: Kernel.IKernelConnection, context: ISessionContext): KernelLink {
    // A spec need not name its language; it is "" then.
    const language = context.specsManager.specs?.kernelspecs[kernel.name]?.language || null;
    const link = new KernelLink(kernel, language, this.autoLoad);
    this.links.set(kernel.id, link);
    link.changed.connect(() => this._changed.emit());
    link.connected.connect(() => this._connected.emit());
    link.paged.connect((_, page) => this._paged.emit({ kernel: kernel.id, page }));
    link.prefer(this.modes.get(kernel.id) ?? null);
    link.start();
    return link;
  }

  private readonly all = new Set<Source>();
  private readonly links = new Map<string, KernelLink>();
  private readonly modes = new Map<string, Mode | null>();
  private readonly _changed = new Signal<this, void>(this);
  private readonly _connected = new Signal<this, void>(this);
  private readonly _paged = new Signal<this, { kernel: string; page: unknown }>(this);
}
