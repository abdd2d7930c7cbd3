import type { KernelMessage } from '@jupyterlab/services';

/**
 * The process that a kernel runs in. A restart puts another in its place; JupyterLab tells that to the view that asked
 * for the restart alone, so that for all others the session in the kernel's own messages is the only sign.
 */
export class KernelProcess {
  /** Whether this message tells that another process has taken the place of the one known. */
  isReplacedBy({ header, content }: KernelMessage.IStatusMsg): boolean {
    // The server speaks of a kernel that died in messages of its own.
    if (!OWN.includes(content.execution_state) || header.session === this.session || header.session === this.ended) {
      return false;
    }
    const known = this.session !== null;
    this.ended = this.session ?? this.ended;
    this.session = header.session;
    return known;
  }

  /** It is about to end; messages that it sent before may still come. */
  ends(): void {
    this.ended = this.session ?? this.ended;
    this.session = null;
  }

  private session: string | null = null;
  private ended: string | null = null;
}

const OWN: readonly string[] = ['starting', 'idle', 'busy'];
