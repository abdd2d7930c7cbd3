import { type Kernel, KernelMessage } from '@jupyterlab/services';
import { PromiseDelegate } from '@lumino/coreutils';
import { Signal } from '@lumino/signaling';
import { COMM_ID } from '../../../src/protocol';

interface Sent {
  type: string;
  content: Record<string, unknown>;
  subshell: string | null;
}

/** One connection to a kernel, which does what it is told to. As much of JupyterLab's as the host uses. */
export class FakeKernel {
  readonly statusChanged = new Signal<this, Kernel.Status>(this);
  readonly connectionStatusChanged = new Signal<this, Kernel.ConnectionStatus>(this);
  readonly iopubMessage = new Signal<this, KernelMessage.IIOPubMessage>(this);
  readonly username = '';
  readonly clientId = 'client';
  readonly sent: Sent[] = [];
  /** Expressions that were to be evaluated, each with the way to answer. */
  readonly evaluations: { expression: string; answer(word: string): void }[] = [];
  readonly deletedSubshells: string[] = [];
  status: Kernel.Status = 'idle';
  connectionStatus: Kernel.ConnectionStatus = 'connected';
  isDisposed = false;
  supportsSubshells = true;
  commsOverSubshells = 'perCommTarget';
  subshell = new PromiseDelegate<unknown>();
  private readonly introduction = new PromiseDelegate<unknown>();

  constructor(
    readonly id = 'k1',
    readonly name = 'python3',
    public session = 'process 1',
  ) {}

  /** The same, as JupyterLab's own type. */
  get real(): Kernel.IKernelConnection {
    return this as unknown as Kernel.IKernelConnection;
  }

  get info(): Promise<unknown> {
    return this.introduction.promise;
  }

  /** The content of the message that was sent last. */
  get last(): Record<string, unknown> {
    return this.sent.at(-1)?.content ?? {};
  }

  introduce(language = 'python'): Promise<void> {
    this.introduction.resolve({ language_info: { name: language } });
    return settled();
  }

  requestExecute({ user_expressions }: { user_expressions: { torchtwin: string } }) {
    const done = new PromiseDelegate<unknown>();
    const answer = (word: string) => {
      const torchtwin = { status: 'ok', data: { 'text/plain': word }, metadata: {} };
      done.resolve({ content: { status: 'ok', user_expressions: { torchtwin } } });
    };
    this.evaluations.push({ expression: user_expressions.torchtwin, answer });
    return { done: done.promise };
  }

  /** Answers the last request to look for the helper. */
  answer(word: string): Promise<void> {
    this.evaluations.at(-1)?.answer(word);
    return settled();
  }

  sendShellMessage(message: KernelMessage.IShellMessage) {
    const { header, content } = message;
    const subshell = (header as { subshell_id?: string | null }).subshell_id ?? null;
    this.sent.push({ type: header.msg_type, content: { ...content }, subshell });
  }

  requestCreateSubshell() {
    return { done: this.subshell.promise.then((subshell_id) => ({ content: { subshell_id } })) };
  }

  requestDeleteSubshell({ subshell_id }: { subshell_id: string }) {
    this.deletedSubshells.push(subshell_id);
  }

  becomes(status: Kernel.Status): void {
    this.status = status;
    this.statusChanged.emit(status);
  }

  connects(status: Kernel.ConnectionStatus): void {
    this.connectionStatus = status;
    this.connectionStatusChanged.emit(status);
  }

  /** JupyterLab's own restart, on the connection that asked for it. */
  async restart(session: string): Promise<void> {
    this.becomes('restarting');
    this.connects('connecting');
    this.session = session;
    this.connects('connected');
    this.says('busy');
    this.becomes('idle');
    await settled();
  }

  /** An iopub status message, of the request with this id. */
  says(state: string, request = 'r1', kind = 'execute_request', session = this.session): void {
    const parent = { msg_id: request, msg_type: kind };
    this.publish('status', { execution_state: state }, parent, session);
  }

  page(page: unknown): void {
    this.publish('comm_msg', { comm_id: COMM_ID, data: page });
  }

  publish(type: string, content: object, parent: object = {}, session = this.session): void {
    const options = { msgType: type, channel: 'iopub', session, content, username: '' } as never;
    const message = KernelMessage.createMessage(options) as KernelMessage.IIOPubMessage;
    Object.assign(message, { parent_header: parent });
    this.iopubMessage.emit(message);
  }
}

/** Lets everything run that only waits for promises. */
export async function settled(): Promise<void> {
  for (let times = 0; times < 20; times++) await Promise.resolve();
}
