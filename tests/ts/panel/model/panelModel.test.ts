import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { KERNELS, PanelModel } from '../../../../src/panel/model/panelModel';
import type { Request } from '../../../../src/protocol';
import { FakeHost, view } from '../../harness/fakeHost';
import { calls, page } from './build';

const settled = () => vi.advanceTimersByTimeAsync(0);

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

function started(answer: (request: Request, kernel: string) => unknown = () => ({ type: 'page', page: page([]) })) {
  const host = new FakeHost(answer);
  const model = new PanelModel(host);
  const stop = model.start();
  const callsOf = async (id: string) => {
    host.focus(view({ id }));
    await vi.advanceTimersByTimeAsync(1000);
    return model.snapshot().sync?.records.calls.size;
  };
  return { host, model, stop, callsOf };
}

describe('a panel that is taken out', () => {
  test('leaves its host, and draws nothing more', async () => {
    const { host, model, stop } = started();
    const drawn = vi.fn();
    model.subscribe(drawn);
    expect(host.heard).toBe(1);
    host.page(page(calls(1, 1)));
    stop();
    stop();
    expect(host.heard).toBe(0);
    await vi.advanceTimersByTimeAsync(1000);
    expect(drawn).not.toHaveBeenCalled();
  });

  test('stops the timers of its kernels', async () => {
    const { host, model, stop } = started();
    await settled();
    host.focus(view({ busy: true }));
    const sync = model.snapshot().sync;
    stop();
    await vi.advanceTimersByTimeAsync(60_000);
    expect([sync?.longBusy, vi.getTimerCount()]).toEqual([false, 0]);
  });
});

describe('of many kernels', () => {
  const many = Array.from({ length: KERNELS }, (_, index) => `other ${index}`);

  test('those that were longest out of focus are let go', async () => {
    const { host, callsOf } = started();
    host.focus(view({ id: 'first' }));
    for (const id of ['first', ...many]) host.page(page(calls(1, 1)), id);
    // `first` was in focus, so that `other 0` had to make room for the last one.
    expect(await callsOf('first')).toBe(1);
    expect(await callsOf(many.at(-1) ?? '')).toBe(1);
    expect(await callsOf('other 0')).toBe(0);
  });

  test('as many as there is room for are kept', async () => {
    const { host, callsOf } = started();
    for (const id of many) host.page(page(calls(1, 1)), id);
    expect(await callsOf('other 2')).toBe(1);
  });
});

describe('an action', () => {
  test('goes to the kernel that was in focus, and its answer is told whatever is in focus by then', async () => {
    const asked: string[] = [];
    let answer: (reply: unknown) => void = () => {};
    const { host, model } = started((request, kernel) => {
      if (request.type === 'replay') return { type: 'page', page: page([]) };
      asked.push(kernel);
      return new Promise((resolve) => {
        answer = resolve;
      });
    });
    const cleared = model.clear();
    host.focus(view({ id: 'k2' }));
    await settled();
    answer({ type: 'done' });
    expect([await cleared, asked]).toEqual([{ type: 'done' }, ['k1']]);
  });

  test('without a kernel is refused', async () => {
    const { host, model } = started();
    host.focus(view({ id: null, status: { type: 'none' } }));
    expect(await model.clear()).toMatchObject({ type: 'refused', code: 'disconnected' });
  });
});

test('a long cell is drawn as such without a word of the kernel', async () => {
  const { host, model } = started(() => ({ type: 'page', page: page([STATE]) }));
  await vi.advanceTimersByTimeAsync(1000);
  host.focus(view({ busy: true }));
  await vi.advanceTimersByTimeAsync(500);
  expect(model.snapshot().watch.word).toBe('watching');
  await vi.advanceTimersByTimeAsync(1000);
  expect(model.snapshot().watch.word).toBe('watching, kernel busy');
  host.focus(view());
  await vi.advanceTimersByTimeAsync(100);
  expect(model.snapshot().watch.word).toBe('watching');
});

const STATE = {
  type: 'state' as const,
  watching: true,
  torch: '2.13.0',
  torchtwin: '0.1.0',
  calls: 0,
  dropped: 0,
  internal_errors: null,
};
