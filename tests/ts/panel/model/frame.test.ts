import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { eachFrame } from '../../../../src/panel/model/frame';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

test('draws once in a frame however often it is asked to', () => {
  const work = vi.fn();
  const frame = eachFrame(work);
  for (let times = 0; times < 10; times++) frame.request();
  expect(work).not.toHaveBeenCalled();
  vi.advanceTimersByTime(20);
  expect(work).toHaveBeenCalledTimes(1);
});

test('rests after a long drawing for twice its time', () => {
  const work = vi.fn();
  const clock = vi.spyOn(performance, 'now');
  const frame = eachFrame(work);
  clock.mockReturnValue(1000);
  frame.request();
  vi.advanceTimersToNextFrame();
  clock.mockReturnValue(1100);
  vi.advanceTimersByTime(1);
  frame.request();
  vi.advanceTimersByTime(199);
  expect(work).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(1);
  expect(work).toHaveBeenCalledTimes(2);
});

test('draws nothing after it was cancelled', () => {
  const work = vi.fn();
  const frame = eachFrame(work);
  frame.request();
  frame.cancel();
  frame.cancel();
  vi.advanceTimersByTime(100);
  expect(work).not.toHaveBeenCalled();
});

describe('a hidden page', () => {
  beforeEach(() => {
    vi.spyOn(document, 'hidden', 'get').mockReturnValue(true);
    // A browser gives it no frames.
    vi.stubGlobal('requestAnimationFrame', () => 0);
  });
  afterEach(() => {
    vi.restoreAllMocks();
    vi.unstubAllGlobals();
  });

  test('is drawn all the same, now and then', () => {
    const work = vi.fn();
    const frame = eachFrame(work);
    frame.request();
    vi.advanceTimersByTime(100);
    expect(work).not.toHaveBeenCalled();
    vi.advanceTimersByTime(100);
    expect(work).toHaveBeenCalledTimes(1);
  });

  test('is not drawn after it was cancelled', () => {
    const work = vi.fn();
    const frame = eachFrame(work);
    frame.request();
    frame.cancel();
    vi.advanceTimersByTime(1000);
    expect(work).not.toHaveBeenCalled();
  });
});
