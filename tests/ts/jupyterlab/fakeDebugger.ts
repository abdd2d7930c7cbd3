import type { IDebugger } from '@jupyterlab/debugger';
import { PromiseDelegate } from '@lumino/coreutils';
import { Signal } from '@lumino/signaling';

export interface Frame {
  id: number;
  name: string;
  line: number;
  source: { path: string };
}

export function frame(id: number, line = 4, name = 'forward', path = '/tmp/ipykernel_1/22.py'): Frame {
  return { id, line, name, source: { path } };
}

interface Reply {
  success: boolean;
  message?: string;
  body: { result: string };
}

/** JupyterLab's call stack: a frame that was chosen stays chosen, as the very object that it was. */
class FakeCallstack {
  readonly currentFrameChanged = new Signal<this, Frame | undefined>(this);
  readonly framesChanged = new Signal<this, Frame[]>(this);
  private all: Frame[] = [];
  private chosen: Frame | undefined;

  get frames(): Frame[] {
    return this.all;
  }

  set frames(frames: Frame[]) {
    this.all = frames;
    if (!frames.some(({ id }) => id === this.chosen?.id)) this.frame = frames[0];
    this.framesChanged.emit(frames);
  }

  get frame(): Frame | undefined {
    return this.chosen;
  }

  set frame(frame: Frame | undefined) {
    this.chosen = frame;
    this.currentFrameChanged.emit(frame);
  }
}

/** JupyterLab's debugger on one kernel, as much of it as the host uses. */
export class FakeDebugger {
  readonly eventMessage = new Signal<this, { event: string }>(this);
  readonly sessionChanged = new Signal<this, unknown>(this);
  readonly stopped = new Signal<this, void>(this);
  readonly model = { callstack: new FakeCallstack() };
  /** What was to be evaluated, each with the way to answer. */
  readonly evaluations: { command: string; expression: string; frameId: number; context: string }[] = [];
  readonly answers: PromiseDelegate<Reply>[] = [];
  session: unknown;
  private threads = 0;

  constructor(kernel = 'k1') {
    this.session = this.sessionOn(kernel);
  }

  get real(): IDebugger {
    return this as unknown as IDebugger;
  }

  hasStoppedThreads(): boolean {
    return this.threads > 0;
  }

  /** The code `y = fc(x)` is in the file 22.py. */
  getCodeId(code: string): string {
    return code === 'y = fc(x)' ? '/tmp/ipykernel_1/22.py' : '/tmp/ipykernel_1/0.py';
  }

  stops(...frames: Frame[]): void {
    this.threads = 1;
    this.eventMessage.emit({ event: 'stopped' });
    this.model.callstack.frames = frames;
  }

  goesOn(): void {
    this.threads = 0;
    this.model.callstack.frames = [];
    this.eventMessage.emit({ event: 'continued' });
  }

  /** The debugger looks at another notebook, whose kernel runs. */
  follows(kernel: string): void {
    this.session = this.sessionOn(kernel);
    this.sessionChanged.emit(this.session);
  }

  private sessionOn(id: string) {
    return {
      connection: { kernel: { id } },
      sendRequest: (command: string, asked: { expression: string; frameId: number; context: string }) => {
        this.evaluations.push({ command, ...asked });
        const answer = new PromiseDelegate<Reply>();
        this.answers.push(answer);
        return answer.promise;
      },
    };
  }
}
