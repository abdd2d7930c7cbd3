import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Stop } from '../../../../src/panel/host';
import { frameOf, LATE, LINGER, Pause, SECONDS } from '../../../../src/panel/model/pause';
import type { PausedRequest } from '../../../../src/protocol';
import { fixture } from '../../fixtures';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const settled = () => vi.advanceTimersByTimeAsync(0);
const answer = (name: string) => fixture(`paused-answer-${name}.json`).value;
const stop = (number: number): Stop => ({ number, function: 'forward', site: { cell_id: 'a', line: number } });

interface Asked {
  stop: number;
  request: PausedRequest;
  answer(value: unknown): Promise<void>;
  fail(error: Error): Promise<void>;
}

function paused() {
  const asked: Asked[] = [];
  const presence: (number | null)[] = [];
  const pause: Pause = new Pause({
    ask: (number, request) =>
      new Promise((resolve, reject) => {
        const then = (act: () => void) => {
          act();
          return vi.advanceTimersByTimeAsync(0).then(() => undefined);
        };
        const ways = {
          answer: (value: unknown) => then(() => resolve(value)),
          fail: (error: Error) => then(() => reject(error)),
        };
        asked.push({ stop: number, request, ...ways });
      }),
    changed: () => presence.push(pause.stop?.number ?? null),
    later: (callback, milliseconds) => {
      const id = setTimeout(callback, milliseconds);
      return () => clearTimeout(id);
    },
  });
  const at = (index: number): Asked => {
    const found = asked.at(index);
    if (!found) throw new Error('nothing was asked');
    return found;
  };
  return { pause, asked, at, presence };
}

describe('the frame of a stop', () => {
  test('is asked, and shown', async () => {
    const { pause, asked, at } = paused();
    pause.see(stop(1));
    expect(asked.map(({ stop: number, request }) => [number, request.type])).toEqual([[1, 'inspect']]);
    expect(pause.look).toMatchObject({ type: 'asking', isLate: false });
    await at(0).answer(answer('forward'));
    expect(pause.look).toMatchObject({ type: 'frame', function: 'forward' });
  });

  test('of an older stop is dropped, however late it answers', async () => {
    const { pause, at } = paused();
    pause.see(stop(1));
    pause.see(stop(2));
    await at(1).answer(answer('failing'));
    await at(0).answer(answer('forward'));
    expect(pause.look).toMatchObject({ products: [{ words: 'net.fc2(hidden.T)' }] });
    pause.see(stop(3));
    await at(1).answer(answer('forward'));
    expect(pause.look.type).toBe('asking');
  });

  test('is asked again where the same frame may have changed; of two answers the later question counts', async () => {
    const { pause, at } = paused();
    pause.see(stop(1));
    pause.see(stop(1));
    await at(1).answer(answer('failing'));
    await at(0).answer(answer('forward'));
    expect(pause.look).toMatchObject({ products: [{ words: 'net.fc2(hidden.T)' }] });
  });

  test('is told to be late after a time, and shown when it comes', async () => {
    const { pause, at } = paused();
    pause.see(stop(1));
    await vi.advanceTimersByTimeAsync(LATE);
    expect(pause.look).toMatchObject({ isLate: true });
    await at(0).answer(answer('forward'));
    expect(pause.look.type).toBe('frame');
    await vi.advanceTimersByTimeAsync(LATE);
    expect(pause.look.type).toBe('frame');
  });

  test.each([
    ['a refusal of the kernel', (it: Asked) => it.answer(answer('refused')), /RecursionError|.+/],
    ['a failure of the debugger', (it: Asked) => it.fail(new Error('no helper')), /^no helper$/],
    ['nonsense', (it: Asked) => it.answer({ protocol: 1, reply: { type: 'frame' } }), /can't be read/],
    ['another version', (it: Asked) => it.answer({ protocol: 9 }), /another version/],
    ['the answer to another question', (it: Asked) => it.answer(answer('tensor')), /can't be read/],
  ])('that comes to %s is told so', async (_, come, words) => {
    const { pause, at } = paused();
    pause.see(stop(1));
    await come(at(0));
    expect(pause.look).toMatchObject({ type: 'refused', message: expect.stringMatching(words) });
  });
});

describe('when the kernel goes on', () => {
  test('the section is gone after a moment, and everything with it', async () => {
    const { pause, at, presence } = paused();
    pause.see(stop(1));
    await at(0).answer(answer('forward'));
    pause.see(null);
    expect([pause.isLeaving, pause.stop?.number]).toEqual([true, 1]);
    await vi.advanceTimersByTimeAsync(LINGER);
    expect([pause.stop, frameOf(pause.look), presence.at(-1)]).toEqual([null, null, null]);
  });

  test('a step that stops at once keeps it, with the frame of before called old', async () => {
    const { pause, at } = paused();
    pause.see(stop(1));
    await at(0).answer(answer('forward'));
    pause.see(null);
    await vi.advanceTimersByTimeAsync(LINGER / 2);
    pause.see(stop(2));
    expect(pause.look).toMatchObject({ type: 'asking', before: { function: 'forward' } });
    await vi.advanceTimersByTimeAsync(LINGER);
    expect([pause.isLeaving, pause.stop?.number]).toEqual([false, 2]);
  });

  test('an answer that comes now is dropped', async () => {
    const { pause, at } = paused();
    pause.see(stop(1));
    pause.see(null);
    await at(0).answer(answer('forward'));
    expect(pause.look.type).toBe('asking');
  });

  test('before anything was told there is nothing to leave', () => {
    const { pause, presence } = paused();
    pause.see(null);
    expect([pause.isLeaving, presence]).toEqual([false, []]);
  });
});

describe('an expression', () => {
  async function evaluating(text = ' fc.weight ') {
    const all = paused();
    all.pause.see(stop(1));
    await all.at(0).answer(answer('forward'));
    void all.pause.evaluate(text);
    return all;
  }

  test('is asked without the spaces around it, with the time that it may take', async () => {
    const { pause, at } = await evaluating();
    expect(at(-1).request).toEqual({ type: 'evaluate', expression: 'fc.weight', seconds: SECONDS });
    expect([pause.isEvaluating, pause.history.text]).toEqual([true, '']);
    await at(-1).answer(answer('tensor'));
    expect(pause.evaluation).toMatchObject({ expression: 'fc.weight', outcome: { type: 'evaluated' } });
  });

  test('of nothing is not asked, nor a second one meanwhile', async () => {
    const { pause, asked } = await evaluating();
    await pause.evaluate('x');
    expect(asked).toHaveLength(2);
    const idle = paused();
    await idle.pause.evaluate('x');
    idle.pause.see(stop(1));
    await idle.pause.evaluate('  ');
    expect(idle.asked).toHaveLength(1);
  });

  test('that is given up is not shown when it comes; that it has ended is', async () => {
    const { pause, at } = await evaluating();
    pause.giveUp();
    expect(pause.evaluation?.outcome.type).toBe('given-up');
    await at(-1).answer(answer('tensor'));
    expect(pause.evaluation?.outcome.type).toBe('ended');
  });

  test('gives way to another that is asked after it was given up', async () => {
    const { pause, at, asked } = await evaluating();
    pause.giveUp();
    void pause.evaluate('x');
    await asked[1]?.answer(answer('tensor'));
    expect(pause.evaluation).toMatchObject({ expression: 'x', outcome: { type: 'running' } });
    await at(-1).answer(answer('text'));
    expect(pause.evaluation).toMatchObject({ expression: 'x', outcome: { text: 'True' } });
  });

  test('that was answered is not given up any more', async () => {
    const { pause, at } = await evaluating();
    await at(-1).answer(answer('tensor'));
    pause.giveUp();
    expect(pause.evaluation?.outcome.type).toBe('evaluated');
  });

  test('and what came of it belong to their frame', async () => {
    const { pause, at, asked } = await evaluating();
    pause.see(stop(2));
    expect(pause.evaluation).toBeNull();
    await asked[1]?.answer(answer('tensor'));
    expect(pause.evaluation).toBeNull();
    await at(-1).answer(answer('forward'));
    void pause.evaluate('x');
    pause.see(stop(2));
    expect(pause.evaluation).toMatchObject({ expression: 'x' });
  });

  test('that changed something has the frame asked again', async () => {
    const { at, asked } = await evaluating();
    await at(-1).answer(answer('text'));
    expect(asked.map(({ request }) => request.type)).toEqual(['inspect', 'evaluate', 'inspect']);
    const quiet = await evaluating();
    await quiet.at(-1).answer(answer('tensor'));
    expect(quiet.asked).toHaveLength(2);
  });

  test('that nobody answers is told why', async () => {
    const { pause, at } = await evaluating();
    await at(-1).fail(new Error('gone'));
    expect(pause.evaluation?.outcome).toMatchObject({ type: 'refused', message: 'gone' });
  });
});

test('who listens is told of every change, until they stop', async () => {
  const { pause } = paused();
  const heard = vi.fn();
  const before = pause.version();
  const leave = pause.subscribe(heard);
  pause.type('x');
  expect([heard.mock.calls.length, pause.version()]).toEqual([1, before + 1]);
  leave();
  pause.walk('back');
  expect(heard).toHaveBeenCalledTimes(1);
});

test('a pause that is disposed of changes no more', async () => {
  const { pause, at } = paused();
  pause.see(stop(1));
  void pause.evaluate('x');
  const heard = vi.fn();
  pause.subscribe(heard);
  pause.dispose();
  await at(0).answer(answer('forward'));
  await at(1).answer(answer('tensor'));
  await vi.advanceTimersByTimeAsync(60_000);
  expect([heard.mock.calls.length, vi.getTimerCount()]).toEqual([0, 0]);
  await settled();
});
