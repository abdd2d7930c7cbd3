import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Live, type Socket } from '../../../src/page/live';

class FakeSocket implements Socket {
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: (() => void) | null = null;
  isClosed = false;

  constructor(
    readonly session: string | null,
    readonly after: number,
  ) {}

  close(): void {
    this.isClosed = true;
    this.onclose?.();
  }

  page(session: string, upto: number): void {
    this.onmessage?.({ data: JSON.stringify({ session, upto }) });
  }
}

let sockets: FakeSocket[];
let told: unknown[];
let changes: boolean[];
let live: Live;

function last(): FakeSocket {
  return sockets[sockets.length - 1] as FakeSocket;
}

beforeEach(() => {
  vi.useFakeTimers();
  sockets = [];
  told = [];
  changes = [];
  live = new Live(
    (session, after) => {
      sockets.push(new FakeSocket(session, after));
      return last();
    },
    (page) => told.push(page),
    () => changes.push(live.connected),
  );
});

afterEach(() => {
  live.close();
  vi.useRealTimers();
});

describe('Live', () => {
  test('passes pages on as they came', () => {
    last().onopen?.();
    last().page('s', 4);
    expect(told).toEqual([{ session: 's', upto: 4 }]);
    expect(changes).toEqual([true]);
  });

  test('goes on after the last page when the connection was lost', () => {
    last().onopen?.();
    last().page('s', 4);
    last().onclose?.();
    expect(live.connected).toBe(false);
    expect(sockets).toHaveLength(1);
    vi.advanceTimersByTime(500);
    expect(sockets).toHaveLength(2);
    expect([last().session, last().after]).toEqual(['s', 4]);
    last().onopen?.();
    expect(changes).toEqual([true, false, true]);
  });

  test('tries less and less often while nobody answers, and quickly again after a connection that lasted', () => {
    for (const wait of [500, 1000, 2000, 5000, 10_000, 10_000]) {
      const before = sockets.length;
      last().onclose?.();
      vi.advanceTimersByTime(wait - 1);
      expect(sockets).toHaveLength(before);
      vi.advanceTimersByTime(1);
      expect(sockets).toHaveLength(before + 1);
    }
    last().onopen?.();
    vi.advanceTimersByTime(6000);
    last().onclose?.();
    const before = sockets.length;
    vi.advanceTimersByTime(500);
    expect(sockets).toHaveLength(before + 1);
  });

  test('makes no connection any more once it is closed', () => {
    last().onopen?.();
    live.close();
    expect(last().isClosed).toBe(true);
    vi.advanceTimersByTime(60_000);
    expect(sockets).toHaveLength(1);
  });

  test('leaves alone what is no page', () => {
    last().onmessage?.({ data: 'not json' });
    last().onmessage?.({ data: 'null' });
    last().onclose?.();
    vi.advanceTimersByTime(500);
    expect([last().session, last().after]).toEqual([null, 0]);
  });
});
