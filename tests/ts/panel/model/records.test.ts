import { describe, expect, test } from 'vitest';
import { CallLog } from '../../../../src/panel/model/callLog';
import { countsOf } from '../../../../src/panel/model/counts';
import { Records } from '../../../../src/panel/model/records';
import { callOf, pageOf } from '../../fixtures';
import { call, calls, decodedPage } from './build';

const any = () => true;
const ids = (records: Records) => records.calls.newest(100, any).map(({ id }) => id);

describe('records', () => {
  test('take pages in order, newest call first', () => {
    const records = new Records();
    expect(records.apply(decodedPage(calls(1, 2)))).toBe('in-order');
    expect(records.apply(decodedPage(calls(3, 3), 2))).toBe('in-order');
    expect(ids(records)).toEqual([3, 2, 1]);
    expect(records.complete).toBe(true);
  });

  test('drop a page that comes twice', () => {
    const records = new Records();
    records.apply(decodedPage(calls(1, 3)));
    records.apply(decodedPage(calls(1, 3)));
    expect(records.calls.size).toBe(3);
    expect(records.calls.tally.identical).toBe(3);
  });

  test('keep the newer state of a call when the older one comes late', () => {
    const records = new Records();
    records.apply(decodedPage([call(1, { name: 'newer' })], 5));
    records.apply(decodedPage([call(1, { name: 'older' })], 0));
    expect(records.calls.get(1)?.name).toBe('newer');
  });

  test('see a gap, show what is beyond it, and are complete once it is filled', () => {
    const records = new Records();
    records.apply(decodedPage(calls(1, 1)));
    expect(records.apply(decodedPage(calls(4, 4), 3))).toBe('gap');
    expect([records.upto, records.complete, ids(records)]).toEqual([1, false, [4, 1]]);
    records.apply(decodedPage(calls(2, 4), 1), true);
    expect([records.upto, records.complete, ids(records)]).toEqual([4, true, [4, 3, 2, 1]]);
  });

  test('put a call that comes late in its place', () => {
    const records = new Records();
    records.apply(decodedPage([call(2), call(5), call(1), call(3)]));
    expect(ids(records)).toEqual([5, 3, 2, 1]);
  });

  test('begin anew with a new session and take nothing more of the old one', () => {
    const records = new Records();
    records.apply(pageOf('page-exercise.json'));
    records.apply(decodedPage([call(1, { name: 'again' })]));
    expect([records.session, records.tensors, records.state, ids(records)]).toEqual(['s1', null, null, [1]]);
    expect(records.apply(pageOf('page-exercise.json'))).toBe('stale');
    expect(records.calls.get(1)?.name).toBe('again');
  });

  test('forget what was cleared, and what comes late of it', () => {
    const records = new Records();
    records.apply(decodedPage([...calls(1, 3), { type: 'cleared', up_to: 2 }]));
    expect(ids(records)).toEqual([3]);
    records.apply(decodedPage([call(2)], 4));
    expect(ids(records)).toEqual([3]);
    expect(records.calls.tally.identical).toBe(1);
  });

  test('remember the names of unknown events', () => {
    const records = new Records();
    records.apply(pageOf('newer/unknown-event.json'));
    expect([...records.unknown]).toEqual(['histogram']);
  });
});

describe('the call log', () => {
  test('lets the oldest go beyond its capacity, and counts them', () => {
    const log = new CallLog(3);
    for (const each of calls(1, 5)) log.put(each, each.id);
    expect([log.size, log.fellOff, log.tally.identical]).toEqual([3, 2, 3]);
    log.put(call(1), 99);
    expect(log.get(1)).toBeUndefined();
  });

  test('tallies every call by what it came to, also when that changes', () => {
    const log = new CallLog();
    log.put(callOf('page-failed.json'), 1);
    log.put(callOf('page-different.json'), 2);
    log.put(callOf('page-rounding.json'), 3);
    expect(log.tally).toEqual({ failed: 1, differs: 1, rounding: 1, identical: 0, unchecked: 0 });
    log.put({ ...callOf('page-rounding.json'), forward: callOf('page-different.json').forward }, 4);
    expect(log.tally).toEqual({ failed: 1, differs: 2, rounding: 0, identical: 0, unchecked: 0 });
  });

  test('holds 20,000 calls', () => {
    const log = new CallLog();
    for (const each of calls(1, 20_000)) log.put(each, each.id);
    expect(log.newest(100, any)).toHaveLength(100);
    expect(log.newest(30_000, any)).toHaveLength(20_000);
  });
});

test('dropped calls are those the kernel let go and the panel has not', () => {
  const records = new Records();
  const state = { type: 'state', watching: true, torch: '2', torchtwin: '0', internal_errors: null } as const;
  records.apply(decodedPage([...calls(11, 15), { ...state, calls: 15, dropped: 10 }]));
  expect(countsOf(records)).toMatchObject({ calls: 15, dropped: 10, agrees: 5 });
  records.apply(decodedPage([...calls(1, 10), { ...state, calls: 15, dropped: 10 }], 6));
  expect(countsOf(records)).toMatchObject({ calls: 15, dropped: 0 });
});

describe('a restarted kernel', () => {
  const tensors = (names: string[]) => {
    const facts = { shape: [1], dtype: 'float32', device: 'cpu', requires_grad: false, has_grad: false };
    const rows = names.map((name) => ({ name, ...facts, shares: [], output_of: null, changed: true }));
    return { type: 'tensors' as const, rows, left_out: 0 };
  };
  const restarted = () => {
    const records = new Records();
    records.apply(decodedPage(calls(1, 2)));
    expect(records.restarted).toBe(false);
    records.apply(decodedPage([tensors([])], 0, { session: 's2' }));
    expect(records.restarted).toBe(true);
    return records;
  };

  test('is one until its first tensor', () => {
    const records = restarted();
    records.apply(decodedPage([tensors(['x'])], 1, { session: 's2' }));
    expect(records.restarted).toBe(false);
  });

  test('is one until its first call, and not again when that is cleared', () => {
    const records = restarted();
    records.apply(decodedPage(calls(1, 1), 1, { session: 's2' }));
    expect(records.restarted).toBe(false);
    records.apply(decodedPage([{ type: 'cleared', up_to: 1 }], 2, { session: 's2' }));
    expect(records.restarted).toBe(false);
  });
});
