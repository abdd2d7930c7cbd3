import type { Host, HostMessage, KernelView, Stop } from '../../../src/panel/host';
import type { Mode, PausedRequest, Request, Site } from '../../../src/protocol';

export function view(change: Partial<KernelView> = {}): KernelView {
  return {
    id: 'k1',
    name: 'linear_by_hand.ipynb',
    kernelName: 'Python 3 (ipykernel)',
    status: { type: 'ready' },
    busy: false,
    restarting: false,
    ...change,
  };
}

/** A host whose kernel answers what it is told to. */
export class FakeHost implements Host {
  requests: Request[] = [];
  copied: string[] = [];
  revealed: Site[] = [];
  loaded: string[] = [];
  preferred: [string, Mode | null][] = [];
  canReveal = true;
  /** What was asked of paused frames, each with the number of its stop, and what they answer. */
  asked: [number, PausedRequest][] = [];
  pausedAnswer: (request: PausedRequest, stop: number) => unknown = () => new Promise(() => {});
  private stopped: { kernel: string; stop: Stop } | null = null;
  private listeners = new Set<(message: HostMessage) => void>();

  /** How many listen. */
  get heard(): number {
    return this.listeners.size;
  }

  constructor(
    public answer: (request: Request, kernel: string) => unknown = () => ({ type: 'done' }),
    private focused: KernelView = view(),
  ) {}

  subscribe(listener: (message: HostMessage) => void): () => void {
    this.listeners.add(listener);
    listener({ type: 'focus', kernel: this.focused });
    if (this.stopped) listener({ type: 'pause', ...this.stopped });
    return () => this.listeners.delete(listener);
  }

  async request(kernel: string, request: Request): Promise<unknown> {
    this.requests.push(request);
    return this.answer(request, kernel);
  }

  async askPaused(_kernel: string, stop: number, request: PausedRequest): Promise<unknown> {
    this.asked.push([stop, request]);
    return this.pausedAnswer(request, stop);
  }

  async load(kernel: string): Promise<void> {
    this.loaded.push(kernel);
  }

  prefer(kernel: string, mode: Mode | null): void {
    this.preferred.push([kernel, mode]);
  }

  async reveal(_kernel: string, site: Site): Promise<boolean> {
    this.revealed.push(site);
    return this.canReveal;
  }

  async copy(text: string): Promise<void> {
    this.copied.push(text);
  }

  focus(kernel: KernelView): void {
    this.focused = kernel;
    this.send({ type: 'focus', kernel });
  }

  page(page: unknown, kernel = 'k1'): void {
    this.send({ type: 'page', kernel, page });
  }

  pause(stop: Stop | null, kernel = 'k1'): void {
    this.stopped = stop && { kernel, stop };
    this.send({ type: 'pause', kernel, stop });
  }

  private send(message: HostMessage): void {
    for (const listener of this.listeners) listener(message);
  }
}
