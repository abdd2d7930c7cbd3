import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Clipboard, type ISessionContext } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import { Signal } from '@lumino/signaling';

import { type Host, type HostMessage, type KernelStatus, type KernelView, RequestError } from '../panel/host';
import type { Mode, PausedRequest, Request, Site } from '../protocol';
import type { Focus } from './focus';
import type { Kernels } from './kernels';
import type { KernelLink } from './link';
import type { Pause, Pauses } from './pauses';
import { reveal } from './reveal';

type Listener = (message: HostMessage) => void;

/** JupyterLab or Notebook 7 as the panel's host. */
export class JupyterHost implements Host {
  constructor(
    private readonly app: JupyterFrontEnd,
    private readonly focus: Focus,
    private readonly kernels: Kernels,
    private readonly pauses: Pauses,
  ) {
    focus.changed.connect(this.announce, this);
    kernels.changed.connect(this.announce, this);
    kernels.changed.connect(this.leaveTheDead, this);
    kernels.paged.connect(this.pass, this);
    pauses.changed.connect(this.tellPause, this);
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
    if (this.pause) {
      own({ type: 'pause', ...this.pause });
    }
    return () => {
      this.listeners.delete(own);
    };
  }

  request(kernel: string, request: Request): Promise<unknown> {
    return this.reach(kernel, (link) => link.ask(request));
  }

  askPaused(kernel: string, stop: number, request: PausedRequest): Promise<unknown> {
    return this.pauses.ask(kernel, stop, request);
  }

  load(kernel: string): Promise<void> {
    return this.reach(kernel, (link) => link.load());
  }

  prefer(kernel: string, mode: Mode | null): void {
    this.kernels.prefer(kernel, mode);
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
    const context = this.focus.current?.sessionContext ?? null;
    const kernel = context?.session?.kernel ?? null;
    const link = kernel && this.kernels.link(kernel.id);
    const status = link?.status ?? statusOf(context);
    const there = link !== null || status.type === 'dead';
    return {
      id: there && kernel ? kernel.id : null,
      name: context ? nameOf(context) : '',
      kernelName: there && context ? context.kernelDisplayName : '',
      status,
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

  /** None of a kernel that would not understand a question. */
  private get pause(): Pause | null {
    const { current } = this.pauses;
    const status = current && this.kernels.link(current.kernel)?.status;
    return status?.type === 'other-language' ? null : current;
  }

  private tellPause(): void {
    const now = this.pause;
    if (this.paused !== null && this.paused !== now?.kernel) {
      this.tell({ type: 'pause', kernel: this.paused, stop: null });
    }
    if (now) {
      this.tell({ type: 'pause', ...now });
    }
    this.paused = now?.kernel ?? null;
  }

  /** A process that has ended stands nowhere any more, whatever the debugger still shows. */
  private leaveTheDead(): void {
    const link = this.pauses.current && this.kernels.link(this.pauses.current.kernel);
    if (link?.restarting || link?.status.type === 'dead') {
      this.pauses.leave();
    }
  }

  private tell(message: HostMessage): void {
    for (const listener of [...this.listeners]) {
      listener(message);
    }
  }

  private readonly listeners = new Set<Listener>();
  private told = '';
  /** The kernel of which a pause was told. */
  private paused: string | null = null;
}

function nameOf({ path, name, type }: ISessionContext): string {
  return type === 'notebook' ? PathExt.basename(path) : name;
}

/** The status where there is no link: no kernel yet, or none any more. */
function statusOf(context: ISessionContext | null): KernelStatus {
  if (context?.session?.kernel?.status === 'dead') {
    return { type: 'dead' };
  }
  const status = context?.kernelDisplayStatus;
  const starting = status === 'connecting' || status === 'initializing' || status === 'starting';
  return { type: starting ? 'connecting' : 'none' };
}
