import { type Host, type HostMessage, type KernelStatus, type KernelView, RequestError } from '../panel/host';
import type { Mode, PausedRequest, Request, Site } from '../protocol';
import { type Api, type KernelRow, ServerError } from './api';
import { Live, type Socket } from './live';

const ONLY_RECORDS =
  'This page shows what the server has stored. Ask in the notebook, which is connected to the kernel.';
const LIMIT = 2000;

/** A page of the server's own as the panel's host: one kernel, chosen from a list; it is read and never asked. */
export class PageHost implements Host {
  constructor(
    private readonly api: Api,
    private readonly connect: (url: string) => Socket = (url) => new WebSocket(url) as unknown as Socket,
  ) {}

  /** Shows this kernel from now on; null: none. Of the one that is shown already, what the list now says of it. */
  choose(row: KernelRow | null): void {
    if (row?.kernel !== this.row?.kernel) {
      this.live?.close();
      this.live = row && this.follow(row.kernel);
    }
    this.row = row;
    this.announce();
  }

  subscribe(listener: (message: HostMessage) => void): () => void {
    const own = (message: HostMessage) => listener(message);
    this.listeners.add(own);
    own({ type: 'focus', kernel: this.view() });
    return () => {
      this.listeners.delete(own);
    };
  }

  async request(kernel: string, request: Request): Promise<unknown> {
    if (request.type !== 'replay') throw new RequestError('disconnected', ONLY_RECORDS);
    try {
      return { type: 'page', page: await this.api.records(kernel, request.after, request.limit ?? LIMIT) };
    } catch (error) {
      if (error instanceof ServerError && error.status === 0) throw new RequestError('disconnected', error.message);
      throw error;
    }
  }

  askPaused(_kernel: string, _stop: number, _request: PausedRequest): Promise<unknown> {
    return Promise.reject(new RequestError('disconnected', ONLY_RECORDS)); // no debugger reports its stops here
  }

  load(): Promise<void> {
    return Promise.reject(new RequestError('disconnected', ONLY_RECORDS));
  }

  prefer(_kernel: string, _mode: Mode | null): void {
    // Whoever loads the helper prefers a mode; this page loads none.
  }

  async reveal(_kernel: string, _site: Site): Promise<boolean> {
    return false;
  }

  copy(text: string): Promise<void> {
    return navigator.clipboard.writeText(text);
  }

  private follow(kernel: string): Live {
    return new Live(
      (session, after) => this.connect(this.api.live(kernel, session, after)),
      (page) => this.tell({ type: 'page', kernel, page }),
      () => this.announce(),
    );
  }

  private view(): KernelView {
    const { row } = this;
    return {
      id: row?.kernel ?? null,
      name: row ? nameOf(row) : '',
      kernelName: '',
      status: this.status(),
      busy: false,
      restarting: false,
    };
  }

  private status(): KernelStatus {
    if (!this.row) return { type: 'none' };
    if (!this.row.running) return { type: 'dead' };
    return { type: this.live?.connected ? 'ready' : 'connecting' };
  }

  private announce(): void {
    const kernel = this.view();
    const text = JSON.stringify(kernel);
    if (text === this.told) return;
    this.told = text;
    this.tell({ type: 'focus', kernel });
  }

  private tell(message: HostMessage): void {
    for (const listener of [...this.listeners]) listener(message);
  }

  private readonly listeners = new Set<(message: HostMessage) => void>();
  private row: KernelRow | null = null;
  private live: Live | null = null;
  private told = '';
}

/** What a person calls a kernel: its notebook, or the beginning of its id. */
export function nameOf({ path, kernel }: KernelRow): string {
  return path.split('/').pop() || `kernel ${kernel.slice(0, 8)}`;
}
