import { decodeReply, type ElementRequest, type Mode, type Request, type Site } from '../../protocol';
import { type Host, type HostMessage, type KernelView, RequestError } from '../host';
import { type Answer, answerOf, refusalOf } from './answer';
import { eachFrame } from './frame';
import { type WatchState, watchState } from './head';
import { KernelSync } from './kernelSync';
import { Pause } from './pause';
import { type Screen, screenOf } from './screen';

/** The records of how many kernels are kept; of more, those not in focus for longest are let go. */
export const KERNELS = 8;

/** What the body draws. A new object after every change. */
export interface Snapshot {
  view: KernelView;
  screen: Screen;
  watch: WatchState;
  sync: KernelSync | null;
  /** Where a debugger has stopped the kernel; null where it runs. */
  pause: Pause | null;
}

const NO_KERNEL: KernelView = {
  id: null,
  name: '',
  kernelName: '',
  status: { type: 'none' },
  busy: false,
  restarting: false,
};

/** Everything the panel knows, of every kernel, and what a person can do. Knows no DOM. */
export class PanelModel {
  private view = NO_KERNEL;
  private kernels = new Map<string, KernelSync>();
  private pauses = new Map<string, Pause>();
  private listeners = new Set<() => void>();
  private current: Snapshot = this.draw();
  private readonly frame = eachFrame(() => this.emit());

  constructor(readonly host: Host) {}

  /** Starts to listen to the host. Returns the way to stop, which may be called twice. */
  start(): () => void {
    const stop = this.host.subscribe((message) => this.receive(message));
    this.emit();
    return () => {
      stop();
      this.frame.cancel();
      for (const part of [...this.kernels.values(), ...this.pauses.values()]) part.dispose();
      this.kernels.clear();
      this.pauses.clear();
    };
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly snapshot = (): Snapshot => this.current;

  setWatch(on: boolean): Promise<Answer> {
    return this.ask({ type: 'watch', on });
  }

  /** Chooses which calls are checked, after a restart too; the budget stays as it is. */
  setMode(mode: Mode): Promise<Answer> {
    this.kernelInFocus()?.mode.choose(mode);
    return this.ask({ type: 'mode', mode, budget: null });
  }

  clear(): Promise<Answer> {
    return this.ask({ type: 'clear' });
  }

  element(request: Omit<ElementRequest, 'type'>): Promise<Answer> {
    return this.ask({ type: 'element', ...request });
  }

  /** Tries again what has failed: to load the helper, or to read the records. */
  async retry(): Promise<void> {
    if (this.view.status.type === 'failed') return this.load();
    this.kernelInFocus()?.replay();
    this.frame.request();
  }

  async load(): Promise<void> {
    if (this.view.id !== null) await this.host.load(this.view.id);
  }

  /** Shows the place; false where it can't be found, or where the host fails to look. Never rejects. */
  async reveal(site: Site): Promise<boolean> {
    if (this.view.id === null) return false;
    try {
      return await this.host.reveal(this.view.id, site);
    } catch {
      return false;
    }
  }

  private receive(message: HostMessage): void {
    if (message.type === 'page') this.kernel(message.kernel).takePage(message.page);
    else if (message.type === 'pause') this.pauseOf(message.kernel).see(message.stop);
    else this.focus(message.kernel);
    this.frame.request();
  }

  private focus(view: KernelView): void {
    this.view = view;
    if (view.id === null) return;
    const kernel = this.kernel(view.id);
    this.kernels.delete(view.id);
    this.kernels.set(view.id, kernel);
    kernel.see(view);
  }

  private async ask(request: Request): Promise<Answer> {
    try {
      if (this.view.id === null) throw new RequestError('disconnected', 'There is no kernel.');
      return answerOf(decodeReply(await this.host.request(this.view.id, request)));
    } catch (error) {
      return refusalOf(error);
    }
  }

  private kernelInFocus(): KernelSync | null {
    return this.view.id === null ? null : (this.kernels.get(this.view.id) ?? null);
  }

  private kernel(id: string): KernelSync {
    const known = this.kernels.get(id);
    if (known) return known;
    this.makeRoom();
    const kernel = new KernelSync({
      ask: (request) => this.host.request(id, request),
      changed: () => this.frame.request(),
      prefer: (mode) => this.host.prefer(id, mode),
      later,
    });
    this.kernels.set(id, kernel);
    return kernel;
  }

  private pauseOf(id: string): Pause {
    const known = this.pauses.get(id);
    if (known) return known;
    const pause = new Pause({
      ask: (stop, request) => this.host.askPaused(id, stop, request),
      changed: () => this.emit(),
      later,
    });
    this.pauses.set(id, pause);
    return pause;
  }

  private makeRoom(): void {
    const oldest = [...this.kernels.keys()].find((id) => id !== this.view.id);
    if (this.kernels.size < KERNELS || oldest === undefined) return;
    this.kernels.get(oldest)?.dispose();
    this.kernels.delete(oldest);
    this.pauses.get(oldest)?.dispose();
    this.pauses.delete(oldest);
  }

  private emit(): void {
    this.current = this.draw();
    for (const listener of this.listeners) listener();
  }

  private draw(): Snapshot {
    const sync = this.kernelInFocus();
    const pause = this.pauseInFocus();
    const watch = pause ? PAUSED : watchState(this.view, sync);
    return { view: this.view, screen: screenOf(this.view, sync), watch, sync, pause };
  }

  private pauseInFocus(): Pause | null {
    const pause = this.view.id === null ? undefined : this.pauses.get(this.view.id);
    return pause?.stop ? pause : null;
  }
}

const PAUSED: WatchState = { word: 'paused', tone: 'wait' };

function later(callback: () => void, milliseconds: number): () => void {
  const id = setTimeout(callback, milliseconds);
  return () => clearTimeout(id);
}
