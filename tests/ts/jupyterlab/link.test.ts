import { describe, expect, test } from 'vitest';
import { AutoLoad } from '../../../src/jupyterlab/autoload';
import { KernelLink } from '../../../src/jupyterlab/link';
import { FakeKernel, settled } from './fakeKernel';

const LOADED = "'loaded'";
const CLEAR = { type: 'clear' } as const;

function linked(kernel = new FakeKernel(), language: string | null = 'python') {
  const link = new KernelLink(kernel.real, language, new AutoLoad());
  const pages: unknown[] = [];
  const changes: string[] = [];
  link.paged.connect((_, page) => pages.push(page));
  link.changed.connect(() => changes.push(link.status.type));
  link.start();
  return { kernel, link, pages, changes };
}

async function ready(kernel = new FakeKernel()) {
  const made = linked(kernel);
  await kernel.introduce();
  await kernel.answer(LOADED);
  expect(made.link.status).toEqual({ type: 'ready' });
  return made;
}

/** Asks, and gives the comm that it was asked on. */
async function asking({ kernel, link }: Awaited<ReturnType<typeof ready>>) {
  const answer = link.ask(CLEAR);
  const outcome = answer.then(String, (error: Error) => error.message);
  kernel.subshell.resolve('s1');
  await settled();
  return { outcome, comm: kernel.last.comm_id };
}

describe('a kernel', () => {
  test('is asked for the helper before anything else can be sent', () => {
    expect(linked().kernel.evaluations).toHaveLength(1);
  });

  test('is ready once the helper is loaded, or as soon as it sends a page', async () => {
    await ready();
    const { kernel, link, pages } = linked();
    kernel.page({ upto: 1 });
    expect([link.status.type, link.busy, pages]).toEqual(['ready', true, [{ upto: 1 }]]);
    await kernel.answer(LOADED);
    expect(link.busy).toBe(false);
  });

  test('is busy while it runs a cell', async () => {
    const { kernel, link } = await ready();
    kernel.says('busy');
    expect(link.busy).toBe(true);
    kernel.says('idle');
    expect(link.busy).toBe(false);
  });

  test.each([
    ['python', 'ready'],
    ['Python', 'ready'],
    ['R', 'other-language'],
  ])('of the language %s is %s', async (language, status) => {
    const { kernel, link } = linked(new FakeKernel(), language);
    await settled();
    expect(kernel.evaluations).toHaveLength(status === 'ready' ? 1 : 0);
    await kernel.answer(LOADED);
    expect(link.status.type).toBe(status);
  });

  test.each([
    ['python', 'ready'],
    ['R', 'other-language'],
  ])('whose spec names no language says it itself, but is asked at once: %s', async (language, status) => {
    const { kernel, link } = linked(new FakeKernel(), null);
    expect(kernel.evaluations).toHaveLength(1);
    expect(link.status.type).toBe('connecting');
    await kernel.introduce(language);
    if (status === 'ready') await kernel.answer(LOADED);
    expect(link.status.type).toBe(status);
  });
});

describe('a restart', () => {
  test('by this view loads the helper anew, once, in the first place', async () => {
    const { kernel, link } = await ready();
    kernel.says('busy');
    kernel.becomes('restarting');
    expect([link.restarting, link.busy, link.status.type]).toEqual([true, false, 'connecting']);
    await kernel.restart('process 2');
    expect(kernel.evaluations).toHaveLength(2);
    await kernel.answer(LOADED);
    expect([link.restarting, link.status.type]).toEqual([false, 'ready']);
  });

  test('by another view loads the helper over its connection, ahead of what that view runs', async () => {
    const { kernel, link } = await ready();
    const other = new FakeKernel();
    link.follow(other.real);
    kernel.says('idle');
    other.becomes('restarting');
    expect([link.restarting, link.status.type]).toEqual([true, 'connecting']);
    await other.restart('process 2');
    expect([kernel.evaluations.length, other.evaluations.length]).toEqual([1, 1]);
    kernel.says('idle', 'late', 'execute_request', 'process 1');
    kernel.says('busy', 'r2', 'kernel_info_request', 'process 2');
    expect(kernel.evaluations).toHaveLength(1);
    await other.answer(LOADED);
    expect([link.restarting, link.status.type]).toEqual([false, 'ready']);
  });

  test('from elsewhere shows in the session of the next message, and loads the helper', async () => {
    const made = await ready();
    const { kernel, link } = made;
    kernel.says('busy');
    const { outcome } = await asking(made);
    kernel.says('busy', 'r2', 'kernel_info_request', 'process 2');
    expect([link.status.type, link.busy]).toEqual(['loading', false]);
    expect(await outcome).toBe('The kernel was restarted.');
    expect(kernel.evaluations).toHaveLength(2);
    await kernel.answer(LOADED);
    expect(link.status.type).toBe('ready');
  });

  test('is not seen in what the server says by itself', async () => {
    const { kernel, link } = await ready();
    kernel.says('idle');
    kernel.says('restarting', 'r', 'none', 'the server');
    kernel.says('idle');
    expect([kernel.evaluations.length, link.status.type]).toEqual([1, 'ready']);
  });

  test('of a view that is gone is not waited for', async () => {
    const { link } = await ready();
    const other = new FakeKernel();
    link.follow(other.real);
    other.becomes('restarting');
    other.isDisposed = true;
    expect(link.restarting).toBe(false);
  });
});

describe('a lost connection', () => {
  test.each(['connecting', 'disconnected'] as const)('(%s) is no watch, and nothing runs or answers', async (how) => {
    const made = await ready();
    const { kernel, link, changes } = made;
    kernel.says('busy');
    const { outcome } = await asking(made);
    changes.length = 0;
    kernel.connects(how);
    expect([link.status.type, link.busy, changes.at(-1)]).toEqual(['connecting', false, 'connecting']);
    expect(await outcome).toBe('The connection to the kernel was lost.');
    await expect(link.ask(CLEAR)).rejects.toMatchObject({ code: 'disconnected' });
  });

  test('that comes back looks for the helper again', async () => {
    const { kernel, link } = await ready();
    kernel.connects('connecting');
    kernel.connects('connected');
    expect(link.status.type).toBe('loading');
    await kernel.answer(LOADED);
    expect(link.status.type).toBe('ready');
  });

  test('of another view leaves the questions alone', async () => {
    const made = await ready();
    const other = new FakeKernel();
    made.link.follow(other.real);
    const { outcome, comm } = await asking(made);
    other.connects('connecting');
    const { id } = made.kernel.last.data as { id: string };
    made.kernel.publish('comm_msg', { comm_id: comm, data: { id, reply: 'done' } });
    expect(await outcome).toBe('done');
    expect(made.link.status.type).toBe('ready');
  });
});

test('a dead kernel is told as dead', async () => {
  const { kernel, link, changes } = await ready();
  kernel.becomes('dead');
  expect([link.status.type, changes.at(-1)]).toEqual(['dead', 'dead']);
});

describe('an unloaded helper', () => {
  test('is told, and its farewell is not taken for a greeting', async () => {
    const made = await ready();
    const { kernel, link, pages } = made;
    const { outcome, comm } = await asking(made);
    kernel.publish('comm_close', { comm_id: comm, data: {} });
    expect(link.status).toEqual({ type: 'not-loaded' });
    expect(await outcome).toBe('The helper is not loaded in this kernel.');
    kernel.page('farewell');
    kernel.page('the rest of it');
    expect([link.status.type, pages.length, kernel.evaluations.length]).toEqual(['not-loaded', 2, 2]);
    await kernel.answer("'installed'");
    expect(link.status.type).toBe('not-loaded');
  });

  test('is told in a closed comm of ours alone', async () => {
    const made = await ready();
    await asking(made);
    made.kernel.publish('comm_close', { comm_id: "a widget's", data: {} });
    expect(made.link.status.type).toBe('ready');
  });

  test('is noticed when it is loaded again', async () => {
    const made = await ready();
    const { comm } = await asking(made);
    made.kernel.publish('comm_close', { comm_id: comm, data: {} });
    made.kernel.page('greeting');
    await made.kernel.answer(LOADED);
    expect(made.link.status.type).toBe('ready');
    made.kernel.page('more');
    expect(made.kernel.evaluations).toHaveLength(2);
  });

  test('is not told while the kernel restarts', async () => {
    const made = await ready();
    const { comm } = await asking(made);
    made.kernel.becomes('restarting');
    made.kernel.publish('comm_close', { comm_id: comm, data: {} });
    expect(made.link.status.type).toBe('connecting');
  });
});

test('a link that is disposed follows nothing any more', async () => {
  const { kernel, link, changes, pages } = await ready();
  link.dispose();
  link.dispose();
  changes.length = 0;
  kernel.page('late');
  kernel.becomes('restarting');
  kernel.connects('connecting');
  kernel.connects('connected');
  expect([changes, pages, kernel.evaluations.length]).toEqual([[], [], 1]);
});
