import { describe, expect, test } from 'vitest';
import type { KernelStatus } from '../../../../src/panel/host';
import { watchState } from '../../../../src/panel/model/head';
import type { KernelSync } from '../../../../src/panel/model/kernelSync';
import { screenOf } from '../../../../src/panel/model/screen';
import { view } from '../../harness/fakeHost';

const WATCHING = { watching: true, torch: '2.13.0' };

/** What is known of a kernel, as far as the head looks at it. */
function sync(change: object = {}, records: object = {}): KernelSync {
  const none = { session: 's1', state: WATCHING, restarted: false, calls: { size: 1 }, tensors: null };
  return { trouble: null, longBusy: false, records: { ...none, ...records }, ...change } as KernelSync;
}

const word = (...args: Parameters<typeof watchState>) => watchState(...args).word;

describe('the watch', () => {
  test('is on, off, or waits for torch', () => {
    expect(watchState(view(), sync())).toEqual({ word: 'watching', tone: 'on' });
    expect(word(view(), sync({}, { state: { ...WATCHING, watching: false } }))).toBe('off');
    expect(word(view(), sync({}, { state: { ...WATCHING, torch: null } }))).toBe('no torch yet');
  });

  test('goes on while a long cell runs, and says so', () => {
    const busy = view({ busy: true });
    expect(word(busy, sync())).toBe('watching');
    expect(watchState(busy, sync({ longBusy: true }))).toEqual({ word: 'watching, kernel busy', tone: 'wait' });
    const off = { state: { ...WATCHING, watching: false } };
    expect(word(busy, sync({ longBusy: true }, off))).toBe('off');
  });

  test.each<[string, string]>([
    ['busy', 'kernel busy'],
    ['disconnected', 'connecting'],
  ])('of a kernel that is %s is "%s"', (type, expected) => {
    expect(watchState(view(), sync({ trouble: { type } }))).toEqual({ word: expected, tone: 'wait' });
  });

  test.each<[KernelStatus, string]>([
    [{ type: 'none' }, 'no kernel'],
    [{ type: 'connecting' }, 'connecting'],
    [{ type: 'dead' }, 'kernel dead'],
    [{ type: 'not-loaded' }, 'not loaded'],
  ])('of a kernel that was watched and is %j is "%s"', (status, expected) => {
    const { word: told, tone } = watchState(view({ status }), sync());
    expect([told, tone === 'on']).toEqual([expected, false]);
  });

  test('of a restarting kernel is none', () => {
    expect(word(view({ restarting: true }), sync())).toBe('kernel restarting');
  });
});

describe('the screen', () => {
  const dead = view({ status: { type: 'dead' } });
  const empty = sync({}, { calls: { size: 0 } });

  test.each<[string, ReturnType<typeof view>]>([
    ['dead', dead],
    ['lost', view({ status: { type: 'connecting' } })],
  ])('of a %s kernel keeps what it had recorded', (_, kernel) => {
    expect(screenOf(kernel, sync())).toEqual({ type: 'data' });
  });

  test('of a dead kernel without records says that there is none', () => {
    expect(screenOf(dead, empty)).toEqual({ type: 'no-kernel' });
  });
});
