import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Questions } from '../../../src/jupyterlab/questions';
import { QUERY_TARGET } from '../../../src/protocol';
import { FakeKernel } from './fakeKernel';

const CLEAR = { type: 'clear' } as const;
const PATIENCE = 5000;
const settled = () => vi.advanceTimersByTimeAsync(0);

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

function questions(kernel = new FakeKernel()) {
  const questions = new Questions(kernel.real);
  kernel.iopubMessage.connect((_, message) => questions.receive(message));
  const ask = () => questions.ask(CLEAR).catch((error) => `${error.code}: ${error.message}`);
  return { kernel, questions, ask };
}

/** Answers the question that was sent last. */
function answer(kernel: FakeKernel, reply: unknown): void {
  const { comm_id, data } = kernel.last as { comm_id: string; data: { id: string } };
  kernel.publish('comm_msg', { comm_id, data: { id: data.id, reply } });
}

test('go over one comm on a subshell, opened for the first of them', async () => {
  const { kernel, ask } = questions();
  const [one, other] = [ask(), ask()];
  expect(kernel.sent).toEqual([]);
  kernel.subshell.resolve('s1');
  await settled();
  expect(kernel.sent.map(({ type, subshell }) => [type, subshell])).toEqual([
    ['comm_open', 's1'],
    ['comm_msg', 's1'],
    ['comm_msg', 's1'],
  ]);
  expect(kernel.sent[0]?.content.target_name).toBe(QUERY_TARGET);
  expect(kernel.sent[1]?.content.data).toMatchObject({ request: CLEAR });
  answer(kernel, 'to the other');
  expect(await other).toBe('to the other');
  await vi.advanceTimersByTimeAsync(PATIENCE);
  expect(await one).toBe('busy: The kernel is busy and has not answered yet.');
});

test.each([
  [false, 'perCommTarget'],
  [true, 'disabled'],
])('wait for the cell where there are no subshells (%s, %s)', async (supportsSubshells, commsOverSubshells) => {
  const { kernel, ask } = questions(Object.assign(new FakeKernel(), { supportsSubshells, commsOverSubshells }));
  void ask();
  await settled();
  expect(kernel.sent.map(({ type, subshell }) => [type, subshell])).toEqual([
    ['comm_open', null],
    ['comm_msg', null],
  ]);
});

test('move to a subshell once the kernel has told that it has some', async () => {
  const { kernel, ask } = questions(Object.assign(new FakeKernel(), { supportsSubshells: false }));
  const first = ask();
  await settled();
  answer(kernel, 'slowly');
  await first;
  kernel.supportsSubshells = true;
  kernel.subshell.resolve('s1');
  void ask();
  await settled();
  expect(kernel.sent.slice(2).map(({ type, subshell }) => [type, subshell])).toEqual([
    ['comm_close', null],
    ['comm_open', 's1'],
    ['comm_msg', 's1'],
  ]);
});

describe('a comm that could not be opened', () => {
  test('in time is opened anew for the next question', async () => {
    const { kernel, ask } = questions();
    const first = ask();
    await vi.advanceTimersByTimeAsync(PATIENCE);
    expect(await first).toMatch(/^busy/);
    kernel.subshell.resolve('s2');
    const second = ask();
    await settled();
    answer(kernel, 'now');
    expect(await second).toBe('now');
  });

  test('at all says why, and is opened anew for the next question', async () => {
    const { kernel, ask } = questions();
    const create = vi.spyOn(kernel, 'requestCreateSubshell').mockImplementationOnce(() => {
      throw new Error('no more subshells');
    });
    expect(await ask()).toBe('disconnected: no more subshells');
    kernel.subshell.resolve('s1');
    void ask();
    await settled();
    expect(create).toHaveBeenCalledTimes(2);
    expect(kernel.sent.at(-1)?.type).toBe('comm_msg');
  });
});

describe('a kernel that closes the comm', () => {
  test('lets the waiting ones go, and is told', async () => {
    const { kernel, questions: asked, ask } = questions();
    const closed = vi.fn();
    asked.closed.connect(closed);
    kernel.subshell.resolve('s1');
    const answer = ask();
    await settled();
    kernel.publish('comm_close', { comm_id: 'of a widget', data: {} });
    expect(closed).not.toHaveBeenCalled();
    kernel.publish('comm_close', { comm_id: kernel.sent[0]?.content.comm_id, data: {} });
    expect(await answer).toBe('disconnected: The helper is not loaded in this kernel.');
    expect(closed).toHaveBeenCalledTimes(1);
  });
});

describe('a kernel that is no more', () => {
  test('lets the waiting ones go with the reason', async () => {
    const { kernel, questions: asked, ask } = questions();
    kernel.subshell.resolve('s1');
    const answer = ask();
    await settled();
    asked.forget('The kernel was restarted.');
    expect(await answer).toBe('disconnected: The kernel was restarted.');
  });

  test('gets no question that was meant for it', async () => {
    const { kernel, questions: asked, ask } = questions();
    const answer = ask();
    await settled();
    asked.forget('The kernel was restarted.');
    kernel.subshell.resolve('s1');
    await settled();
    expect(kernel.sent.filter(({ type }) => type === 'comm_msg')).toEqual([]);
    expect(await answer).toBe('disconnected: The kernel was restarted.');
  });
});

describe('when the last view closes', () => {
  test('the comm is closed and its subshell ended', async () => {
    const { kernel, questions: asked, ask } = questions();
    kernel.subshell.resolve('s1');
    const answer = ask();
    await settled();
    asked.dispose();
    asked.dispose();
    expect(await answer).toBe('disconnected: The notebook was closed.');
    expect(kernel.sent.filter(({ type }) => type === 'comm_close')).toHaveLength(1);
    expect(kernel.deletedSubshells).toEqual(['s1']);
  });

  test('nothing is sent over a connection that is gone', async () => {
    const { kernel, questions: asked, ask } = questions();
    kernel.subshell.resolve('s1');
    void ask();
    await settled();
    kernel.isDisposed = true;
    asked.dispose();
    expect(kernel.sent.at(-1)?.type).toBe('comm_msg');
  });
});
