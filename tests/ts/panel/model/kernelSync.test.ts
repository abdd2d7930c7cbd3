import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type KernelView, RequestError } from '../../../../src/panel/host';
import { KernelSync, LONG_BUSY, RETRY_AFTER } from '../../../../src/panel/model/kernelSync';
import type { Request } from '../../../../src/protocol';
import { view } from '../../harness/fakeHost';
import { calls, page } from './build';

const replies = (made: ReturnType<typeof page>) => ({ type: 'page', page: made });
const settled = () => vi.advanceTimersByTimeAsync(0);

function sync(answer: (request: Request) => unknown) {
  const asked: Request[] = [];
  const ask = async (request: Request) => {
    asked.push(request);
    return answer(request);
  };
  const later = (callback: () => void, ms: number) => {
    const id = setTimeout(callback, ms);
    return () => clearTimeout(id);
  };
  const changed = vi.fn();
  return { asked, changed, kernel: new KernelSync({ ask, changed, later, prefer: vi.fn() }) };
}

/** A kernel that has `count` calls and gives two a page. */
function paged(count: number, session = 's1') {
  return (request: Request) => {
    const after = request.type === 'replay' ? request.after : 0;
    const upto = Math.min(after + 2, count);
    return replies(page(calls(after + 1, upto), after, { latest: count, session }));
  };
}

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

describe('a kernel that becomes ready', () => {
  test('is asked page by page until nothing is missing', async () => {
    const { asked, kernel } = sync(paged(5));
    kernel.see(view());
    await settled();
    expect(asked.map((request) => request.type === 'replay' && request.after)).toEqual([0, 2, 4]);
    expect([kernel.records.calls.size, kernel.records.complete, kernel.trouble]).toEqual([5, true, null]);
  });

  test('is asked from what is here when it is ready once more', async () => {
    const { asked, kernel } = sync(paged(2));
    kernel.see(view());
    await settled();
    kernel.see(view({ status: { type: 'connecting' } }));
    kernel.see(view());
    await settled();
    expect(asked.at(-1)).toEqual({ type: 'replay', after: 2 });
  });

  test('is not asked while it is loading', () => {
    const { asked, kernel } = sync(paged(2));
    kernel.see(view({ status: { type: 'loading' } }));
    expect(asked).toEqual([]);
  });

  test('with a new session is read from its beginning', async () => {
    let answer = paged(4);
    const { asked, kernel } = sync((request) => answer(request));
    kernel.see(view());
    await settled();
    answer = paged(3, 's2');
    kernel.see(view({ restarting: true }));
    kernel.see(view());
    await settled();
    expect(asked.slice(2).map((request) => request.type === 'replay' && request.after)).toEqual([4, 0, 2]);
    expect([kernel.records.session, kernel.records.calls.size]).toEqual(['s2', 3]);
  });
});

describe('a gap', () => {
  test('is filled by a replay from what is here', async () => {
    const { asked, kernel } = sync(paged(6));
    kernel.takePage(page(calls(1, 2)));
    kernel.takePage(page(calls(5, 6), 4));
    await settled();
    expect(asked[0]).toEqual({ type: 'replay', after: 2 });
    expect([kernel.records.calls.size, kernel.records.complete]).toEqual([6, true]);
  });

  test('that a page beyond it names while a replay runs is filled in the same go', async () => {
    let count = 2;
    const { kernel } = sync((request) => paged(count)(request));
    kernel.see(view());
    count = 5;
    kernel.takePage(page(calls(5, 5), 4));
    await settled();
    expect(kernel.records.complete).toBe(true);
    expect(kernel.records.calls.size).toBe(5);
  });
});

describe('a busy kernel', () => {
  const busy: KernelView = view({ busy: true });

  test('is asked again when its cell has ended', async () => {
    let answer: (request: Request) => unknown = () => {
      throw new RequestError('busy', 'time-out');
    };
    const { asked, kernel } = sync((request) => answer(request));
    kernel.see(busy);
    await settled();
    expect(kernel.trouble).toEqual({ type: 'busy' });
    kernel.see(busy);
    await vi.advanceTimersByTimeAsync(10 * RETRY_AFTER);
    expect(asked).toHaveLength(1);
    answer = paged(2);
    kernel.see(view());
    await settled();
    expect([kernel.trouble, kernel.records.calls.size]).toEqual([null, 2]);
  });

  test.each(['busy', 'disconnected'] as const)(
    'that runs no cell and is %s is asked again after a while',
    async (code) => {
      let tries = 0;
      const { kernel } = sync((request) => {
        tries += 1;
        if (tries === 1) throw new RequestError(code, 'time-out');
        return paged(1)(request);
      });
      kernel.see(view());
      await vi.advanceTimersByTimeAsync(RETRY_AFTER);
      expect([tries, kernel.records.calls.size]).toEqual([2, 1]);
    },
  );

  test('still shows what it sends by itself', async () => {
    const { kernel } = sync(() => {
      throw new RequestError('busy', 'time-out');
    });
    kernel.see(busy);
    await settled();
    kernel.takePage(page(calls(7, 8), 6));
    expect(kernel.records.calls.size).toBe(2);
  });

  test('is left alone once the panel is gone', async () => {
    const { asked, kernel } = sync(() => {
      throw new RequestError('busy', 'time-out');
    });
    kernel.see(view());
    await settled();
    kernel.dispose();
    await vi.advanceTimersByTimeAsync(10 * RETRY_AFTER);
    expect(asked).toHaveLength(1);
  });
});

describe('trouble', () => {
  test('names the place in a page that cannot be read', () => {
    const { kernel } = sync(paged(0));
    kernel.takePage({ ...page([]), upto: 'far' });
    expect(kernel.trouble).toEqual({ type: 'failed', message: '/upto: must be integer' });
  });

  test('of another protocol is told apart', async () => {
    const { kernel } = sync(() => ({ type: 'page', page: { protocol: 9 } }));
    kernel.see(view());
    await settled();
    expect(kernel.trouble).toEqual({ type: 'other-protocol', protocol: 9 });
  });

  test('ends a replay that makes no headway', async () => {
    const { asked, kernel } = sync(() => replies(page([], 0, { latest: 5 })));
    kernel.see(view());
    await settled();
    expect(asked.length).toBeLessThan(4);
    expect(kernel.trouble).toMatchObject({ type: 'failed' });
  });

  test('of a refused replay says what the kernel said', async () => {
    const { kernel } = sync(() => ({ type: 'refused', code: 'failed', message: 'KeyError: 3' }));
    kernel.see(view());
    await settled();
    expect(kernel.trouble).toEqual({ type: 'failed', message: 'KeyError: 3' });
  });
});

describe('a cell that runs long', () => {
  const busy = view({ busy: true });
  const idle = view();

  test('is told after a while, and no more once it has ended', async () => {
    const { changed, kernel } = sync(paged(0));
    kernel.see(busy);
    await vi.advanceTimersByTimeAsync(LONG_BUSY - 1);
    expect(kernel.longBusy).toBe(false);
    changed.mockClear();
    kernel.see(busy);
    await vi.advanceTimersByTimeAsync(1);
    expect([kernel.longBusy, changed.mock.calls.length]).toEqual([true, 1]);
    kernel.see(idle);
    expect(kernel.longBusy).toBe(false);
  });

  test('is not made of many short ones', async () => {
    const { kernel } = sync(paged(0));
    for (let times = 0; times < 10; times++) {
      kernel.see(busy);
      await vi.advanceTimersByTimeAsync(LONG_BUSY / 2);
      expect(kernel.longBusy).toBe(false);
      kernel.see(idle);
      await vi.advanceTimersByTimeAsync(LONG_BUSY / 10);
    }
  });

  test('is told of a kernel that is not ready, too, as soon as it is', async () => {
    const { kernel } = sync(paged(0));
    kernel.see(view({ busy: true, status: { type: 'loading' } }));
    await vi.advanceTimersByTimeAsync(LONG_BUSY);
    expect(kernel.longBusy).toBe(true);
  });

  test('is not waited for once the panel is gone', async () => {
    const { changed, kernel } = sync(paged(0));
    kernel.see(busy);
    await settled();
    kernel.dispose();
    changed.mockClear();
    await vi.advanceTimersByTimeAsync(2 * LONG_BUSY);
    expect(changed).not.toHaveBeenCalled();
  });
});
