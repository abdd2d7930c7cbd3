import { type Kernel, KernelMessage } from '@jupyterlab/services';
import { type JSONObject, PromiseDelegate, UUID } from '@lumino/coreutils';
import { type ISignal, Signal } from '@lumino/signaling';

import { RequestError } from '../panel/host';
import { QUERY_TARGET, type Request } from '../protocol';

/** How long a question may wait before the kernel counts as busy. */
const PATIENCE = 5000;

/** One comm, opened for the first question, and the subshell that answers while a cell runs. */
interface Channel {
  comm: string;
  subshell: string | null;
}

/**
 * Questions to one kernel.
 *
 * The comm is spoken by hand rather than by `kernel.createComm`: only one of the connections to a kernel may create
 * comms, and it need not be one that we can reach (a console beside a closed notebook). Any of them may send messages.
 */
export class Questions {
  constructor(private readonly kernel: Kernel.IKernelConnection) {}

  /** Emitted when the kernel has closed the comm: the helper is not there, or not any more. */
  get closed(): ISignal<this, void> {
    return this._closed;
  }

  /** The kernel's answer, undecoded. Rejects with `RequestError`. */
  async ask(request: Request): Promise<unknown> {
    const id = UUID.uuid4();
    const answer = new PromiseDelegate<unknown>();
    const timer = setTimeout(() => this.loseHope(answer), PATIENCE);
    this.waiting.set(id, answer);
    this.send({ id, request: { ...request } }).catch((reason: unknown) => answer.reject(disconnected(reason)));
    try {
      return await answer.promise;
    } finally {
      clearTimeout(timer);
      this.waiting.delete(id);
    }
  }

  /** To be called with every iopub message of the kernel. */
  receive(message: KernelMessage.IIOPubMessage): void {
    if (KernelMessage.isCommMsgMsg(message) && message.content.comm_id === this.channel?.comm) {
      const { id, reply } = message.content.data;
      this.waiting.get(String(id))?.resolve(reply);
    } else if (KernelMessage.isCommCloseMsg(message) && message.content.comm_id === this.channel?.comm) {
      this.forget('The helper is not loaded in this kernel.');
      this._closed.emit();
    }
  }

  /** The kernel that was asked is no more, and its comms with it. */
  forget(reason: string): void {
    this.channel = null;
    this.opening = null;
    for (const answer of this.waiting.values()) {
      answer.reject(disconnected(reason));
    }
    this.waiting.clear();
  }

  /** Closes the comm and ends its subshell in a kernel that lives on. */
  dispose(): void {
    const channel = this.channel;
    this.forget('The notebook was closed.');
    Signal.clearData(this);
    if (channel && !this.kernel.isDisposed) {
      this.close(channel);
    }
  }

  private async send(data: JSONObject): Promise<void> {
    this.improve();
    this.opening ??= this.open();
    const opening = this.opening;
    const channel = await opening.catch((reason: unknown) => this.giveUp(reason));
    if (opening !== this.opening) {
      throw new Error('The kernel was restarted meanwhile.');
    }
    this.channel = channel;
    const content = { comm_id: channel.comm, data };
    this.post(KernelMessage.createMessage({ ...this.addressed(channel), msgType: 'comm_msg', content }));
  }

  private async open(): Promise<Channel> {
    const subshell = hasSubshells(this.kernel) ? await startSubshell(this.kernel) : null;
    const channel = { comm: UUID.uuid4(), subshell };
    const content = { comm_id: channel.comm, target_name: QUERY_TARGET, data: {} };
    this.post(KernelMessage.createMessage({ ...this.addressed(channel), msgType: 'comm_open', content }));
    return channel;
  }

  /** A kernel that was busy when the page was loaded could not say that it has subshells; then there is a better way. */
  private improve(): void {
    if (this.channel?.subshell === null && hasSubshells(this.kernel) && this.waiting.size === 1) {
      this.close(this.channel);
      this.opening = null;
    }
  }

  /** A comm that could not be opened in this time is opened anew for the next question. */
  private loseHope(answer: PromiseDelegate<unknown>): void {
    if (this.channel === null) {
      this.opening = null;
    }
    answer.reject(busy());
  }

  /** So that the next question tries anew. */
  private giveUp(reason: unknown): never {
    this.opening = null;
    throw reason;
  }

  private close(channel: Channel): void {
    const content = { comm_id: channel.comm, data: {} };
    this.post(KernelMessage.createMessage({ ...this.addressed(channel), msgType: 'comm_close', content }));
    if (channel.subshell) {
      this.kernel.requestDeleteSubshell({ subshell_id: channel.subshell }, true);
    }
  }

  private post(message: KernelMessage.IShellMessage): void {
    this.kernel.sendShellMessage(message, false, true);
  }

  private addressed(channel: Channel) {
    const { username, clientId: session } = this.kernel;
    return { channel: 'shell' as const, username, session, subshellId: channel.subshell };
  }

  private readonly waiting = new Map<string, PromiseDelegate<unknown>>();
  private readonly _closed = new Signal<this, void>(this);
  private channel: Channel | null = null;
  private opening: Promise<Channel> | null = null;
}

/** Without them (ipykernel below 7, or forbidden by the user) questions wait for the cell. */
function hasSubshells(kernel: Kernel.IKernelConnection): boolean {
  return kernel.supportsSubshells && kernel.commsOverSubshells !== 'disabled';
}

async function startSubshell(kernel: Kernel.IKernelConnection): Promise<string | null> {
  const reply = await kernel.requestCreateSubshell({}).done;
  return reply?.content.subshell_id ?? null;
}

function busy(): RequestError {
  return new RequestError('busy', 'The kernel is busy and has not answered yet.');
}

function disconnected(reason: unknown): RequestError {
  return new RequestError('disconnected', reason instanceof Error ? reason.message : String(reason));
}
