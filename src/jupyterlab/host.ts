import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Clipboard } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import { Signal } from '@lumino/signaling';

import { type Host, type HostMessage, type KernelView, RequestError } from '../panel/host';
import type { Request, Site } from '../protocol';
import { contextOf, type Focus, type Source } from './focus';
import type { Kernels } from './kernels';
import type { KernelLink } from './link';
import { reveal } from './reveal';

type Listener = (message: HostMessage) => void;

/** JupyterLab or Notebook 7 as the panel's host. */
export class JupyterHost implements Host {
  constructor(
    private readonly app: JupyterFrontEnd,
    private readonly focus: Focus,
    private readonly kernels: Kernels,
  ) {
    focus.changed.connect(this.announce, this);
    kernels.changed.connect(this.announce, this);
    kernels.paged.connect(this.pass, this);
  }

  /** Disposing twice is safe. */
  dispose(): void {
    Signal.clearData(this);
    this.listeners.clear();
  }

  subscribe(listener: Listener): () => void {
    // Wrapped, so that one function subscribed twice is two subscriptions.
    const own: Listener = (message) => listener(message);
    this.listeners.add(own);
    own({ type: 'focus', kernel: this.view() });
    return () => {
      this.listeners.delete(own);
    };
  }

  request(kernel: string, request: Request): Promise<unknown> {
    return this.reach(kernel, (link) => link.ask(request));
  }

  load(kernel: string): Promise<void> {
    return this.reach(kernel, (link) => link.load());
  }

  reveal(kernel: string, site: Site): Promise<boolean> {
    return reveal(this.app, this.kernels.sources(kernel), site);
  }

  async copy(text: string): Promise<void> {
    Clipboard.copyToSystem(text);
  }

  private async reach<T>(kernel: string, use: (link: KernelLink) => Promise<T>): Promise<T> {
    const link = this.kernels.link(kernel);
    if (!link) {
      throw new RequestError('disconnected', 'No open notebook or console is connected to this kernel.');
    }
    return use(link);
  }

  private view(): KernelView {
    const source = this.focus.current;
    const id = source ? (contextOf(source).session?.kernel?.id ?? null) : null;
    const link = id ? this.kernels.link(id) : null;
    return {
      id: link ? id : null,
      name: source ? nameOf(source) : '',
      kernelName: source && link ? contextOf(source).kernelDisplayName : '',
      status: link?.status ?? (source && isStarting(source) ? { type: 'connecting' } : { type: 'none' }),
      busy: link?.busy ?? false,
      restarting: link?.restarting ?? false,
    };
  }

  /** Tells the view when it differs from the one told last. */
  private announce(): void {
    const kernel = this.view();
    const text = JSON.stringify(kernel);
    if (text !== this.told) {
      this.told = text;
      this.tell({ type: 'focus', kernel });
    }
  }

  private pass(_: Kernels, { kernel, page }: { kernel: string; page: unknown }): void {
    this.tell({ type: 'page', kernel, page });
  }

  private tell(message: HostMessage): void {
    for (const listener of [...this.listeners]) {
      listener(message);
    }
  }

  private readonly listeners = new Set<Listener>();
  private told = '';
}

function nameOf(source: Source): string {
  const { path, name, type } = contextOf(source);
  return type === 'notebook' ? PathExt.basename(path) : name;
}

function isStarting(source: Source): boolean {
  const status = contextOf(source).kernelDisplayStatus;
  return status === 'connecting' || status === 'initializing' || status === 'starting';
}
