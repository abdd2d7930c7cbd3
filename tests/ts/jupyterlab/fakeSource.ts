import './dragEvent';
import { Signal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';
import type { FakeKernel } from './fakeKernel';

/** JupyterLab's own widgets need a whole JupyterLab. To be given to `vi.mock` for `@jupyterlab/notebook`. */
export function fakeNotebookModule() {
  return { NotebookPanel: FakeNotebook };
}

export function fakeConsoleModule() {
  return { ConsolePanel: class extends Widget {} };
}

/** As much of a session context as the host uses. */
export class FakeContext {
  readonly sessionChanged = new Signal<this, void>(this);
  readonly kernelChanged = new Signal<this, void>(this);
  readonly statusChanged = new Signal<this, string>(this);
  readonly connectionStatusChanged = new Signal<this, string>(this);
  readonly propertyChanged = new Signal<this, string>(this);
  readonly type = 'notebook';
  readonly name = '';
  path = 'folder/before.ipynb';
  kernelDisplayName = 'Python 3 (ipykernel)';
  kernelDisplayStatus = 'idle';
  specsManager = { specs: { kernelspecs: { python3: { language: 'python' }, unnamed: { language: '' } } } };
  session: { kernel: FakeKernel | null } | null;

  constructor(kernel: FakeKernel | null) {
    this.session = { kernel };
  }

  rename(path: string): void {
    this.path = path;
    this.propertyChanged.emit('path');
  }
}

export class FakeNotebook extends Widget {
  readonly sessionContext: FakeContext;

  constructor(kernel: FakeKernel | null = null) {
    super();
    this.sessionContext = new FakeContext(kernel);
  }
}

/** A shell that has one of these in sight. */
export class FakeShell {
  readonly currentChanged = new Signal<this, void>(this);
  currentWidget: Widget | null = null;

  show(widget: Widget | null): void {
    this.currentWidget = widget;
    this.currentChanged.emit();
  }
}
