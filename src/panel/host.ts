import type { Mode, PausedRequest, Request, Site } from '../protocol';

/**
 * How far the way to a kernel is. `ready` means that pages may come and requests may be asked. A connection that was
 * lost is `connecting` again; a kernel that is `dead` won't come back by itself.
 */
export type KernelStatus =
  | { type: 'none' }
  | { type: 'connecting' }
  | { type: 'dead' }
  | { type: 'other-language'; language: string }
  | { type: 'not-loaded' }
  | { type: 'missing'; install: string }
  | { type: 'failed'; message: string }
  | { type: 'loading' }
  | { type: 'ready' };

/** The kernel behind the notebook or console in focus. */
export interface KernelView {
  /** Kernel id; null when nothing in focus has a kernel. A restart keeps the id; the session in the pages changes. */
  id: string | null;
  /** What a person calls it: the notebook's file name. */
  name: string;
  /** The kernel's display name, `Python 3 (ipykernel)`; empty where there is no kernel. */
  kernelName: string;
  status: KernelStatus;
  /** Whether a cell is running, so that answers may be late. */
  busy: boolean;
  /** Whether the kernel is restarting: what is shown is about to be void. */
  restarting: boolean;
}

/** Where a debugger has stopped the kernel, or the frame that a person has chosen there. */
export interface Stop {
  /** Another one for each stop and each frame; the same where the same frame may have changed. */
  number: number;
  /** As the debugger says; what the kernel itself says of the frame is more. */
  function: string;
  site: Site;
}

/** `pause`: a debugger has stopped the kernel; null: it runs, or the debugger tells nothing of it any more. */
export type HostMessage =
  | { type: 'focus'; kernel: KernelView }
  | { type: 'page'; kernel: string; page: unknown }
  | { type: 'pause'; kernel: string; stop: Stop | null };

/** Why a request came to nothing. */
export class RequestError extends Error {
  constructor(
    readonly code: 'busy' | 'disconnected',
    message: string,
  ) {
    super(message);
  }
}

/**
 * What carries the panel. The panel is given one and imports none.
 *
 * The host sends the pages of every kernel that it sees, in focus or not, undecoded; it never asks by itself.
 */
export interface Host {
  /** Calls `listener` at once with the kernel in focus and the pause, then on every change. Returns the way to stop. */
  subscribe(listener: (message: HostMessage) => void): () => void;
  /** Asks the kernel. Rejects with `RequestError`: `busy` after a time-out, `disconnected` when there is none. */
  request(kernel: string, request: Request): Promise<unknown>;
  /**
   * Asks the frame of a stop, and gives the answer, undecoded. Rejects when the kernel has gone on, and with the reason
   * where the kernel has nobody to answer. Waits as long as it takes.
   */
  askPaused(kernel: string, stop: number, request: PausedRequest): Promise<unknown>;
  /** Loads the helper into the kernel (`%load_ext torchtwin`), when `autoLoad` is off or has failed. */
  load(kernel: string): Promise<void>;
  /**
   * From now on the watch begins in this mode where the host loads the helper, as it does after a restart; null: in the
   * kernel's own. The user's code runs after it, and may choose another.
   */
  prefer(kernel: string, mode: Mode | null): void;
  /** Shows the line in the notebook or file; false when it can't be found any more. */
  reveal(kernel: string, site: Site): Promise<boolean>;
  copy(text: string): Promise<void>;
}
