import { describe, expect, test } from 'vitest';
import { CallLog } from '../../../../src/panel/model/callLog';
import { callWindow } from '../../../../src/panel/model/callWindow';
import { Reading } from '../../../../src/panel/model/reading';
import { Records } from '../../../../src/panel/model/records';
import { callOf } from '../../fixtures';
import { call, calls, decodedPage } from './build';

function logOf(count: number): CallLog {
  const log = new CallLog();
  for (const each of calls(1, count)) log.put(each, each.id);
  return log;
}

const ids = (found: { id: number }[]) => found.map(({ id }) => id);

describe('the calls that are drawn', () => {
  test('are the newest, and behind them those that were opened', () => {
    const { newest, kept, hidden } = callWindow(logOf(10), 3, [9, 2, 5]);
    expect([ids(newest), ids(kept), hidden]).toEqual([[10, 9, 8], [5, 2], 5]);
  });

  test('are counted without those that raised', () => {
    const log = logOf(4);
    log.put({ ...callOf('page-failed.json'), id: 5 }, 5);
    expect(callWindow(log, 2, [])).toMatchObject({ hidden: 2, kept: [] });
  });

  test('lack what was opened and is cleared', () => {
    const log = logOf(4);
    log.clear(4);
    log.put(call(5), 5);
    expect(callWindow(log, 1, [2]).kept).toEqual([]);
  });
});

describe('what a person has opened and put away', () => {
  test('is told to whoever draws it', () => {
    const reading = new Reading();
    const versions: number[] = [];
    const stop = reading.subscribe(() => versions.push(reading.version()));
    reading.toggle(3);
    reading.fold('Calls', true);
    stop();
    reading.dismiss(7);
    expect([reading.isOpen(3), reading.isFolded('Calls'), reading.dismissed]).toEqual([true, true, 7]);
    expect(versions).toEqual([1, 2]);
  });

  test('stays in sight when it is closed', () => {
    const reading = new Reading();
    reading.toggle(3);
    reading.toggle(3);
    expect([reading.isOpen(3), reading.touched]).toEqual([false, [3]]);
  });

  test('begins anew with a session', () => {
    const records = new Records();
    records.apply(decodedPage(calls(1, 2)));
    records.reading.toggle(1);
    records.apply(decodedPage(calls(3, 3), 2));
    expect(records.reading.isOpen(1)).toBe(true);
    records.apply(decodedPage(calls(1, 1), 0, { session: 's2' }));
    expect(records.reading.isOpen(1)).toBe(false);
  });
});
