import { describe, expect, test } from 'vitest';
import { CallLog } from '../../../../src/panel/model/callLog';
import { Records } from '../../../../src/panel/model/records';
import { callOf, pageOf } from '../../fixtures';
import { call, decodedPage, run } from './build';

const differs = { forward: callOf('page-different.json').forward };
const any = () => true;

/** Everything that can be asked of a log. */
function seen(log: CallLog) {
  const groups = log.groups().map(({ name, count, tally, firstFailing, newestChecked }) => {
    return { name, count, tally: { ...tally }, firstFailing, newestChecked };
  });
  return { size: log.size, tally: { ...log.tally }, fellOff: log.fellOff, groups, calls: log.newest(1000, any) };
}

describe('calls that were told in short', () => {
  test('are kept as what they were, from the wire', () => {
    const records = new Records();
    records.apply(pageOf('page-run.json'));
    const { calls } = records;
    expect([calls.size, calls.tally.identical, calls.tally.unchecked]).toEqual([5, 1, 4]);
    expect(calls.get(4)).toMatchObject({
      id: 4,
      name: 'model.layers[0]',
      operands: { input: { shape: [8, 2] }, output: { shape: [8, 3] } },
      forward: { kind: 'unchecked', reason: 'the budget of 3 % of the running time is used up' },
    });
    expect(calls.get(4)?.time).toBeCloseTo(1_700_000_000.0011, 5);
    expect(calls.groups().map(({ name, count }) => [name, count])).toEqual([['model.layers[0]', 5]]);
  });

  test('begin a session', () => {
    const records = new Records();
    records.apply(decodedPage([run(1, 2)]));
    records.apply(decodedPage([], 0, { session: 's2' }));
    expect(records.restarted).toBe(true);
    records.apply(decodedPage([run(1, 2)], 0, { session: 's2' }));
    expect(records.restarted).toBe(false);
  });

  test.each([
    ['newer', 9],
    ['older', 1],
  ])('give way to the whole call, be it %s', (_, seq) => {
    const log = new CallLog();
    log.put(call(1), 5);
    log.putRun(run(2, 3));
    log.put(call(3, differs), seq);
    log.putRun(run(2, 3));
    expect(log.get(3)?.forward.kind).toBe('different');
    expect([log.size, log.tally.differs, log.tally.unchecked]).toEqual([4, 1, 2]);
    expect(log.groups()[0]).toMatchObject({ count: 4, tally: { differs: 1, identical: 1, unchecked: 2 } });
  });

  test('are counted before the call that they are like has come, and shown after it', () => {
    const log = new CallLog();
    log.putRun(run(2, 3));
    expect([log.size, log.tally.unchecked, log.get(2), log.groups()]).toEqual([3, 3, undefined, []]);
    expect(log.newest(9, any)).toEqual([]);
    log.put(call(3, differs), 8);
    log.put(call(1), 9);
    expect([log.size, log.tally.unchecked, log.groups()[0]?.count]).toEqual([4, 2, 4]);
    expect(log.newest(9, any).map(({ id }) => id)).toEqual([4, 3, 2, 1]);
  });

  test('may each be like another', () => {
    const log = new CallLog();
    log.put(call(1, { name: 'a' }), 1);
    log.put(call(2, { name: 'b' }), 2);
    log.putRun(run(3, 4, 1, { like: [1, 2, 1, 2] }));
    expect(log.groups().map(({ name, count }) => [name, count])).toEqual([
      ['b', 3],
      ['a', 3],
    ]);
  });

  test('follow the call that they are like into another group', () => {
    const log = new CallLog();
    log.put(call(1, { name: 'before' }), 1);
    log.putRun(run(2, 2));
    expect(log.get(2)?.name).toBe('before');
    log.put(call(1, { name: 'after' }), 3);
    expect(log.get(2)?.name).toBe('after');
    expect(log.groups().map(({ name, count }) => [name, count])).toEqual([['after', 3]]);
  });

  test('outlive the call that they are like', () => {
    const log = new CallLog(3);
    log.put(call(1), 1);
    log.putRun(run(2, 3));
    expect([log.get(1), log.get(2)?.name, log.size, log.fellOff]).toEqual([undefined, 'fc', 3, 1]);
    log.put(call(1, { name: 'renamed' }), 9);
    expect([log.get(1), log.get(2)?.name, log.size]).toEqual([undefined, 'renamed', 3]);
  });

  test('are gone when they are cleared, and do not come again', () => {
    const log = new CallLog();
    log.put(call(1), 1);
    log.putRun(run(2, 9));
    log.clear(6);
    log.putRun(run(2, 9));
    expect([log.size, log.tally.unchecked, log.get(6), log.get(7)?.id]).toEqual([4, 4, undefined, 7]);
    log.clear(10);
    expect(seen(log)).toEqual(seen(new CallLog()));
  });
});

describe('the log says the same', () => {
  const events = [
    (log: CallLog) => log.put(call(1), 1),
    (log: CallLog) => log.putRun(run(2, 6)),
    (log: CallLog) => log.put(call(5, differs), 3),
    (log: CallLog) => log.put(call(8, { name: 'head' }), 4),
    (log: CallLog) => log.putRun(run(9, 4, 8)),
    (log: CallLog) => log.put({ ...callOf('page-failed.json'), id: 13 }, 6),
    (log: CallLog) => log.put(call(1, { ...differs }), 7),
  ];
  const told = (order: number[]) => {
    const log = new CallLog();
    for (const at of order) events[at]?.(log);
    return seen(log);
  };
  const inOrder = told([0, 1, 2, 3, 4, 5, 6]);

  test('first of all, what happened', () => {
    expect(inOrder).toMatchObject({ size: 13, tally: { failed: 1, differs: 2, identical: 1, unchecked: 9 } });
  });

  test.each([
    [[6, 5, 4, 3, 2, 1, 0]],
    [[4, 1, 2, 6, 3, 5, 0]],
    [[1, 4, 5, 2, 3, 0, 6]],
    [[2, 3, 1, 0, 6, 4, 5, 1, 4, 0, 2]],
  ])('in whatever order it is told: %j', (order) => {
    expect(told(order)).toEqual(inOrder);
  });
});

describe('beyond its capacity', () => {
  test('the oldest fall off, of short ones and whole ones', () => {
    const log = new CallLog(5);
    log.put(call(1), 1);
    log.putRun(run(2, 3));
    log.put(call(5, differs), 3);
    log.putRun(run(6, 4));
    expect([log.size, log.fellOff, log.get(4), log.get(5)?.id]).toEqual([5, 4, undefined, 5]);
    expect(log.tally).toEqual({ failed: 0, differs: 1, rounding: 0, identical: 0, unchecked: 4 });
    expect(log.groups()[0]).toMatchObject({ count: 5, firstFailing: 5, newestChecked: 5 });
  });

  test('a hundred thousand calls of a loop are few objects', () => {
    const log = new CallLog();
    log.put(call(1), 1);
    for (let first = 2; first < 100_000; first += 2000) log.putRun(run(first, 2000));
    expect([log.size, log.groups().length, log.groups()[0]?.count]).toEqual([100_001, 1, 100_001]);
    expect(log.get(60_000)?.operands.output?.shape).toEqual([4, 3]);
    expect(log.fellOff).toBe(0);
  });
});

test('what whole calls have in common is held once', () => {
  const log = new CallLog();
  log.put(structuredClone(call(1)), 1);
  log.put(structuredClone(call(2)), 2);
  const [one, two] = [log.get(1), log.get(2)];
  expect([one?.operands === two?.operands, one?.values === two?.values, one?.id, two?.id]).toEqual([true, true, 1, 2]);
});
