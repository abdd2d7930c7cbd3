import { describe, expect, test } from 'vitest';
import { CallLog } from '../../../../src/panel/model/callLog';
import { Rows } from '../../../../src/panel/model/rows';
import { call, run } from './build';

/** `b` with one call, then `a` with five. */
function logOf(): CallLog {
  const log = new CallLog();
  log.put(call(1, { name: 'a' }), 1);
  log.putRun(run(2, 4));
  log.put(call(6, { name: 'b' }), 3);
  return log;
}

const rowsOf = (log: CallLog, ...unfolded: string[]) => new Rows(log.groups(), ({ name }) => unfolded.includes(name));

function words(rows: Rows): string[] {
  return Array.from({ length: rows.count }, (_, index) => {
    const row = rows.at(index);
    const what = row?.type === 'call' ? `${row.alone ? 'alone' : 'among'} ${row.id}` : `${row?.group.name}`;
    return `${what} ${row?.place}/${row?.of}`;
  });
}

describe('the lines of a list', () => {
  test('are a call where it is the only one, and one for all of a loop', () => {
    expect(words(rowsOf(logOf()))).toEqual(['alone 6 1/2', 'a 2/2']);
  });

  test('are the calls too of a loop that is unfolded, newest first, counted among themselves', () => {
    const rows = rowsOf(logOf(), 'a', 'b');
    expect(words(rows)).toEqual([
      'alone 6 1/2',
      'a 2/2',
      'among 5 1/5',
      'among 4 2/5',
      'among 3 3/5',
      'among 2 4/5',
      'among 1 5/5',
    ]);
  });

  test('are found, where they are not folded', () => {
    const log = logOf();
    const [b, a] = log.groups();
    const [folded, unfolded] = [rowsOf(log), rowsOf(log, 'a')];
    expect([3, 6].map((id) => folded.indexOfCall(id, log.groupOf(id)))).toEqual([-1, 0]);
    expect([3, 6, 99].map((id) => unfolded.indexOfCall(id, log.groupOf(id)))).toEqual([4, 0, -1]);
    expect([a && unfolded.indexOfGroup(a), b && unfolded.indexOfGroup(b)]).toEqual([1, 0]);
    expect([0, 1, 2, 6].map((index) => unfolded.unfoldedAt(index)?.name)).toEqual([undefined, undefined, 'a', 'a']);
  });

  test('keep their keys when other calls come', () => {
    const log = logOf();
    const rows = rowsOf(log, 'a');
    const keys = Array.from({ length: rows.count }, (_, index) => rows.keyAt(index));
    expect(keys.slice(2)).toEqual([5, 4, 3, 2, 1]);
    log.putRun(run(7, 3));
    expect(Array.from({ length: rows.count }, (_, index) => rows.keyAt(index))).toEqual(keys);
    const after = rowsOf(log, 'a');
    expect(after.keyAt(after.indexOfCall(5, log.groupOf(5)))).toBe(5);
  });

  test('of a call by itself has the key that it has among others', () => {
    const log = logOf();
    expect(rowsOf(log).keyAt(0)).toBe(6);
    log.put(call(7, { name: 'b' }), 9);
    expect([1, 2].map((index) => rowsOf(log, 'b').keyAt(index))).toEqual([7, 6]);
  });

  test('there are none without groups, and none beyond the last', () => {
    expect([new Rows([], () => true).count, new Rows([], () => true).at(0)]).toEqual([0, undefined]);
    expect(rowsOf(logOf()).at(2)).toBeUndefined();
  });
});
