import type { JupyterFrontEnd } from '@jupyterlab/application';
import { describe, expect, test, vi } from 'vitest';
import { AutoLoad } from '../../../src/jupyterlab/autoload';
import { Focus, type Source } from '../../../src/jupyterlab/focus';
import { JupyterHost } from '../../../src/jupyterlab/host';
import { Kernels } from '../../../src/jupyterlab/kernels';
import { Pauses } from '../../../src/jupyterlab/pauses';
import type { HostMessage, KernelView } from '../../../src/panel/host';
import { FakeDebugger, frame } from './fakeDebugger';
import { FakeKernel, settled } from './fakeKernel';
import { FakeNotebook, FakeShell } from './fakeSource';

vi.mock('@jupyterlab/apputils', () => ({ Clipboard: {} }));
vi.mock('@jupyterlab/notebook', async () => (await import('./fakeSource')).fakeNotebookModule());
vi.mock('@jupyterlab/console', async () => (await import('./fakeSource')).fakeConsoleModule());

/** A page with these notebooks open, the first of them in sight. */
function page(...notebooks: FakeNotebook[]) {
  const shell = new FakeShell();
  const focus = new Focus(shell as unknown as JupyterFrontEnd.IShell);
  const kernels = new Kernels(new AutoLoad());
  const pauses = new Pauses(() => null);
  const host = new JupyterHost({ shell } as unknown as JupyterFrontEnd, focus, kernels, pauses);
  for (const notebook of notebooks) kernels.watch(notebook as unknown as Source);
  shell.show(notebooks[0] ?? null);
  const messages: HostMessage[] = [];
  host.subscribe((message) => messages.push(message));
  const view = (): KernelView | undefined =>
    messages.flatMap((message) => (message.type === 'focus' ? [message.kernel] : [])).at(-1);
  const stops = () =>
    messages.flatMap((message) => (message.type === 'pause' ? [[message.kernel, message.stop?.number ?? null]] : []));
  return { shell, kernels, host, pauses, messages, view, stops };
}

async function ready(kernel: FakeKernel): Promise<void> {
  await kernel.introduce();
  await kernel.answer("'loaded'");
}

describe('the view', () => {
  test('names the file, the kernel, and how it is', async () => {
    const kernel = new FakeKernel();
    const { view } = page(new FakeNotebook(kernel));
    await ready(kernel);
    expect(view()).toEqual({
      id: 'k1',
      name: 'before.ipynb',
      kernelName: 'Python 3 (ipykernel)',
      status: { type: 'ready' },
      busy: false,
      restarting: false,
    });
  });

  test('follows a notebook to its new name at once', () => {
    const notebook = new FakeNotebook(new FakeKernel());
    const { view } = page(notebook);
    notebook.sessionContext.rename('folder/after.ipynb');
    expect(view()?.name).toBe('after.ipynb');
  });

  test('has no kernel where there is none', () => {
    const notebook = new FakeNotebook();
    const { view } = page(notebook);
    expect(view()).toMatchObject({ id: null, kernelName: '', status: { type: 'none' } });
    notebook.sessionContext.kernelDisplayStatus = 'starting';
    notebook.sessionContext.statusChanged.emit('starting');
    expect(view()?.status.type).toBe('connecting');
  });

  test('of a session that was lost has no kernel any more', async () => {
    const kernel = new FakeKernel();
    const notebook = new FakeNotebook(kernel);
    const { view } = page(notebook);
    await ready(kernel);
    kernel.isDisposed = true;
    notebook.sessionContext.session = null;
    notebook.sessionContext.sessionChanged.emit();
    expect(view()).toMatchObject({ id: null, status: { type: 'none' } });
  });

  test('keeps a kernel that has died, as dead', async () => {
    const kernel = new FakeKernel();
    const notebook = new FakeNotebook(kernel);
    const { view, host } = page(notebook);
    await ready(kernel);
    kernel.becomes('dead');
    kernel.isDisposed = true;
    notebook.sessionContext.connectionStatusChanged.emit('disconnected');
    expect(view()).toMatchObject({ id: 'k1', status: { type: 'dead' } });
    await expect(host.request('k1', { type: 'clear' })).rejects.toMatchObject({ code: 'disconnected' });
  });

  test('is told once for each change', async () => {
    const kernel = new FakeKernel();
    const notebook = new FakeNotebook(kernel);
    const { messages } = page(notebook);
    await ready(kernel);
    const told = messages.length;
    notebook.sessionContext.statusChanged.emit('idle');
    expect(messages).toHaveLength(told);
  });
});

describe('two notebooks on one kernel', () => {
  test('share one link, which outlives the first of them', async () => {
    const [one, other] = [new FakeKernel(), new FakeKernel()];
    const [first, second] = [new FakeNotebook(one), new FakeNotebook(other)];
    const { shell, view } = page(first, second);
    await ready(one);
    expect([one.evaluations.length, other.evaluations.length]).toEqual([1, 0]);
    shell.currentWidget = second;
    one.isDisposed = true;
    first.dispose();
    await ready(other);
    expect(view()).toMatchObject({ id: 'k1', status: { type: 'ready' } });
  });

  test('are both told of a restart that one of them asked for', async () => {
    const [one, other] = [new FakeKernel(), new FakeKernel()];
    const { view } = page(new FakeNotebook(one), new FakeNotebook(other));
    await ready(one);
    other.becomes('restarting');
    expect(view()).toMatchObject({ restarting: true, status: { type: 'connecting' } });
  });
});

describe('a mode that is preferred', () => {
  const EVERY = 'watch(mode="every")';

  test('is what the watch begins in after a restart of that kernel, until none is', async () => {
    const [kernel, other] = [new FakeKernel(), new FakeKernel('k2')];
    const { host } = page(new FakeNotebook(kernel), new FakeNotebook(other));
    await ready(kernel);
    host.prefer('k1', 'every');
    await kernel.restart('process 2');
    await other.restart('process 2');
    expect([kernel, other].map(({ evaluations }) => evaluations.at(-1)?.expression.includes(EVERY))).toEqual([
      true,
      false,
    ]);
    host.prefer('k1', null);
    await kernel.restart('process 3');
    expect(kernel.evaluations.at(-1)?.expression).not.toContain(EVERY);
  });

  test('holds for a notebook that is opened on the kernel later, too', async () => {
    const [one, later] = [new FakeKernel(), new FakeKernel()];
    const notebook = new FakeNotebook(one);
    const { host, kernels } = page(notebook);
    await ready(one);
    host.prefer('k1', 'every');
    one.isDisposed = true;
    notebook.dispose();
    kernels.watch(new FakeNotebook(later) as unknown as Source);
    await later.restart('process 2');
    expect(later.evaluations.at(-1)?.expression).toContain(EVERY);
  });

  test('holds too where the helper waits for the button', async () => {
    const kernel = new FakeKernel();
    const { host } = page(new FakeNotebook(kernel));
    await ready(kernel);
    host.prefer('k1', 'every');
    void host.load('k1');
    expect(kernel.evaluations.at(-1)?.expression).toContain(EVERY);
  });
});

describe('a pause', () => {
  test('is told of the kernel that the debugger is on, whatever is in focus', async () => {
    const { pauses, stops } = page(new FakeNotebook(new FakeKernel()), new FakeNotebook(new FakeKernel('k2')));
    const service = new FakeDebugger('k2');
    pauses.follow(service.real);
    service.stops(frame(7));
    service.goesOn();
    expect(stops()).toEqual([
      ['k2', 1],
      ['k2', null],
    ]);
  });

  test('is told to who comes later', () => {
    const { host, pauses } = page(new FakeNotebook(new FakeKernel()));
    const service = new FakeDebugger();
    pauses.follow(service.real);
    service.stops(frame(7));
    const later: HostMessage[] = [];
    host.subscribe((message) => later.push(message));
    expect(later.map(({ type }) => type)).toEqual(['focus', 'pause']);
  });

  test.each(['restarting', 'dead'] as const)('is over when the kernel is %s', async (status) => {
    const kernel = new FakeKernel();
    const { pauses, stops } = page(new FakeNotebook(kernel));
    await ready(kernel);
    const service = new FakeDebugger();
    pauses.follow(service.real);
    service.stops(frame(7));
    kernel.becomes(status);
    expect(stops().at(-1)).toEqual(['k1', null]);
  });

  test('of a kernel that runs another language is none', async () => {
    const kernel = new FakeKernel('k1', 'unnamed');
    const { pauses, stops } = page(new FakeNotebook(kernel));
    await kernel.introduce('R');
    const service = new FakeDebugger();
    pauses.follow(service.real);
    service.stops(frame(7));
    expect(stops()).toEqual([]);
    expect(service.evaluations).toEqual([]);
  });

  test('that moves to another kernel is over on the first', () => {
    const { pauses, stops } = page(new FakeNotebook(new FakeKernel()));
    const service = new FakeDebugger();
    pauses.follow(service.real);
    service.stops(frame(7));
    service.follows('k2');
    service.stops(frame(9));
    expect(stops()).toEqual([
      ['k1', 1],
      ['k1', null],
      ['k2', 2],
    ]);
  });
});

test('a spec that names no language leaves it to the kernel', async () => {
  const kernel = new FakeKernel('k1', 'unnamed');
  const { view } = page(new FakeNotebook(kernel));
  await ready(kernel);
  expect(view()?.status).toEqual({ type: 'ready' });
});

test('pages are passed on until the listener stops, or the host is disposed', async () => {
  const kernel = new FakeKernel();
  const { host } = page(new FakeNotebook(kernel));
  const pages: string[] = [];
  const listen = (name: string) =>
    host.subscribe((message) => {
      if (message.type === 'page') pages.push(`${name} ${message.page} of ${message.kernel}`);
    });
  const stop = listen('a');
  listen('b');
  kernel.page(1);
  stop();
  kernel.page(2);
  host.dispose();
  host.dispose();
  kernel.page(3);
  await settled();
  expect(pages).toEqual(['a 1 of k1', 'b 1 of k1', 'b 2 of k1']);
});
