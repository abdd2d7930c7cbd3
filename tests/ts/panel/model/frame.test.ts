import { afterEach, beforeEach, expect, test, vi } from 'vitest';
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
