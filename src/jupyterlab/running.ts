import type { KernelMessage } from '@jupyterlab/services';

/**
 * The cells that a kernel is running. `kernel.status` won't tell: it turns idle whenever a subshell has answered.
 */
export class RunningCells {
  get any(): boolean {
    return this.requests.size > 0;
  }

  receive({ parent_header: cause, content }: KernelMessage.IStatusMsg): void {
    if (!('msg_id' in cause) || cause.msg_type !== 'execute_request') {
      return;
    }
    if (content.execution_state === 'idle') {
      this.requests.delete(cause.msg_id);
    } else {
      this.requests.add(cause.msg_id);
    }
  }

  forget(): void {
    this.requests.clear();
  }

  private readonly requests = new Set<string>();
}
