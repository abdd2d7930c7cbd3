import { describe, expect, test } from 'vitest';
import { CallLog } from '../../../../src/panel/model/callLog';
import { checkedOf, worstOf } from '../../../../src/panel/model/callVerdict';
import { callOf } from '../../fixtures';
import { call, run } from './build';

const names = (log: CallLog) => log.groups().map(({ name }) => name);

describe('calls are of one group', () => {
  const site = call(1).site;
  const place = (change: object) => ({ site: { ...site, ...change } });
  test.each([
    ['with the same name, place and expression', {}, 1],
    ['under another name', { name: 'other' }, 2],
    ['with another expression', { expression: 'x @ w.T' }, 2],
    ['on another line', place({ line: 99 }), 2],
    ['in another cell', place({ cell_id: 'other' }), 2],
    ['in a cell that was run again', place({ execution_count: 77 }), 2],
    ['in a file', place({ cell_id: null, file: 'a.py' }), 2],
    ['with other words on the line', place({ source: 'fc(x)  # later' }), 1],
  ])('%s', (_, change, count) => {
    const log = new CallLog();
    log.put(call(1), 1);
    log.put(call(2, change), 2);
    expect(log.groups()).toHaveLength(count);
  });
});

describe('groups stand', () => {
  test('with the newest call first', () => {
    const log = new CallLog();
    log.put(call(1, { name: 'a' }), 1);
    log.put(call(2, { name: 'b' }), 2);
    expect(names(log)).toEqual(['b', 'a']);
    log.put(call(3, { name: 'c', time: call(1).time + 1 }), 3);
    expect(names(log)).toEqual(['c', 'b', 'a']);
  });

  test('still while a loop goes round through them, and rise when called after a pause', () => {
    const log = new CallLog();
    const { time } = call(1);
    for (let id = 1; id <= 3; id++) log.put(call(id, { name: `layer ${id}`, time }), id);
    const order = log.groups();
    expect(names(log)).toEqual(['layer 3', 'layer 2', 'layer 1']);
    log.put(call(4, { name: 'layer 1', time: time + 1 }), 4);
    expect(log.groups()).toBe(order);
    log.put(call(5, { name: 'layer 1', time: time + 10 }), 5);
    expect(names(log)).toEqual(['layer 1', 'layer 3', 'layer 2']);
    log.put(call(6, { name: 'layer 2', time: time + 20 }), 6);
    expect(names(log)).toEqual(['layer 2', 'layer 1', 'layer 3']);
  });

  test('as the same objects, without those that have no calls any more', () => {
    const log = new CallLog();
    log.put(call(1, { name: 'a' }), 1);
    log.put(call(2, { name: 'b' }), 2);
    const [b] = log.groups();
    log.put(call(2, { name: 'b', time: 5 }), 3);
    log.clear(1);
    expect(log.groups()).toEqual([b]);
    expect(log.groups()[0]).toBe(b);
    expect(b?.count).toBe(1);
  });
});

describe('a group tells', () => {
  const loop = () => {
    const log = new CallLog();
    log.put(call(1), 1);
    log.putRun(run(2, 8));
    log.put(call(10), 3);
    return { log, group: log.groups()[0] as NonNullable<ReturnType<CallLog['groups']>[0]> };
  };

  test('how many calls there are, how many were checked, and the worst that came of them', () => {
    const { log, group } = loop();
    expect([group.count, checkedOf(group.tally), worstOf(group.tally)]).toEqual([10, 2, 'identical']);
    expect(group.tally).toEqual({ failed: 0, differs: 0, rounding: 0, identical: 2, unchecked: 8 });
    log.put(call(4, { forward: callOf('page-different.json').forward }), 4);
    expect([group.count, checkedOf(group.tally), worstOf(group.tally)]).toEqual([10, 3, 'differs']);
  });

  test('which call failed first, and which was checked last, also when that changes', () => {
    const { log, group } = loop();
    const differs = { forward: callOf('page-different.json').forward };
    expect([group.firstFailing, group.newestChecked]).toEqual([null, 10]);
    log.put(call(7, differs), 4);
    log.put(call(5, differs), 5);
    expect([group.firstFailing, group.newestChecked]).toEqual([5, 10]);
    log.put(call(5), 6);
    expect(group.firstFailing).toBe(7);
    log.put(call(10, { forward: { kind: 'unchecked', message: '' }, gradients: {} }), 7);
    expect(group.newestChecked).toBe(7);
    log.clear(7);
    expect([group.firstFailing, group.newestChecked]).toEqual([null, null]);
  });

  test('its calls, newest first, each the same object when asked again', () => {
    const { group } = loop();
    expect([group.newest.id, group.at(0)?.id, group.at(9)?.id, group.at(10)]).toEqual([10, 10, 1, undefined]);
    expect(group.at(3)).toBe(group.at(3));
    expect([...group.ids()]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect([group.oldestId, group.indexOf(10), group.indexOf(1), group.indexOf(11)]).toEqual([1, 0, 9, -1]);
  });

  test('the shapes that occur', () => {
    const { log, group } = loop();
    expect(group.inputs).toEqual([
      [1, 2],
      [4, 2],
    ]);
    expect(group.outputs).toEqual([
      [1, 3],
      [4, 3],
    ]);
    log.clear(9);
    expect(group.inputs).toEqual([[1, 2]]);
  });

  test('that something has changed', () => {
    const { log, group } = loop();
    const before = group.version;
    log.groups();
    expect(group.version).toBe(before);
    log.put(call(10, { matches: [] }), 9);
    expect(group.version).toBeGreaterThan(before);
  });
});
