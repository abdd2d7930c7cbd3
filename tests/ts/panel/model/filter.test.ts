import { describe, expect, test } from 'vitest';
import { CallLog } from '../../../../src/panel/model/callLog';
import {
  EMPTY,
  type Filter,
  found,
  isEmpty,
  nothingFound,
  withText,
  withVerdict,
} from '../../../../src/panel/model/filter';
import { groupParts } from '../../../../src/panel/model/groupPart';
import type { Call, VerdictKind } from '../../../../src/protocol';
import { call } from './build';

const verdict = (kind: VerdictKind) => ({ kind, message: kind });

/** A call of this name with this verdict on its output. */
function named(id: number, name: string, kind: VerdictKind = 'identical', change: Partial<Call> = {}): Call {
  const gradients = { weight: null, bias: null, input: null };
  return call(id, { name, expression: `x @ ${name}.weight.T`, forward: verdict(kind), gradients, ...change });
}

function logOf(...calls: Call[]): CallLog {
  const log = new CallLog();
  for (const each of calls) log.put(each, each.id);
  return log;
}

const LOG = logOf(
  named(1, 'model.fc', 'identical', { site: { cell_id: 'a', execution_count: 7, line: 3 } }),
  named(2, 'model.Head', 'different', { expression: 'features @ head.T' }),
  named(3, 'other', 'unchecked', { site: { file: '/home/me/layers.py', line: 41 } }),
);

const look = (filter: Partial<Filter>, log = LOG) => found(log.groups(), { ...EMPTY, ...filter }, groupParts(log));
const names = (filter: Partial<Filter>) => look(filter).groups.map(({ name }) => name);

describe('a search', () => {
  test.each<[string, string[]]>([
    ['fc', ['model.fc']],
    ['HEAD', ['model.Head']],
    ['  model.  ', ['model.Head', 'model.fc']],
    ['features @', ['model.Head']],
    ['cell [7], line 3', ['model.fc']],
    ['layers.py:41', ['other']],
    ['/home/me', ['other']],
    ['fcx', []],
    [' ', ['other', 'model.Head', 'model.fc']],
  ])('for "%s" in name, expression or place', (text, expected) => {
    expect(names({ text })).toEqual(expected);
  });

  test('counts what has the text by verdicts, whichever of these are wanted', () => {
    const { tally } = look({ text: 'model', verdicts: new Set(['failed']) });
    expect(tally).toEqual({ failed: 0, differs: 1, rounding: 0, identical: 1, unchecked: 0 });
  });
});

describe('a choice of verdicts', () => {
  test('may be of several', () => {
    expect(names({ verdicts: new Set(['differs', 'unchecked']) })).toEqual(['other', 'model.Head']);
  });

  test('is made beside a search', () => {
    expect(names({ text: 'model', verdicts: new Set(['differs', 'unchecked']) })).toEqual(['model.Head']);
  });

  test('leaves of the calls of a loop those that are wanted', () => {
    const log = logOf(named(1, 'fc'), named(2, 'fc', 'different'), named(3, 'fc', 'unchecked'), named(4, 'fc'));
    const [group] = look({ verdicts: new Set(['differs', 'unchecked']) }, log).groups;
    expect([group?.count, [...(group?.ids() ?? [])], group?.firstFailing]).toEqual([2, [2, 3], 2]);
    expect(group?.tally).toEqual({ failed: 0, differs: 1, rounding: 0, identical: 0, unchecked: 1 });
    expect(group?.at(0)?.id).toBe(3);
    expect(log.groups()[0]?.count).toBe(4);
  });

  test('knows a call that changes its verdict', () => {
    const log = logOf(named(1, 'fc'), named(2, 'fc', 'different'));
    const part = groupParts(log);
    const filter: Filter = { ...EMPTY, verdicts: new Set(['differs']) };
    const ids = () => found(log.groups(), filter, part).groups.map((group) => [...group.ids()]);
    expect(ids()).toEqual([[2]]);
    log.put(named(1, 'fc', 'different'), 9);
    expect(ids()).toEqual([[1, 2]]);
  });
});

describe('a group of which all is wanted, or that has not changed', () => {
  test('is the same object', () => {
    const log = logOf(named(1, 'fc'), named(2, 'fc', 'different'));
    const part = groupParts(log);
    const [group] = log.groups();
    if (!group) throw new Error('no group');
    const verdicts = new Set(['differs'] as const);
    expect(part(group, new Set(['differs', 'identical']))).toBe(group);
    expect(part(group, verdicts)).toBe(part(group, verdicts));
    expect(part(group, verdicts)).not.toBe(group);
  });
});

describe('a filter', () => {
  test('is empty without words and verdicts', () => {
    expect([isEmpty(EMPTY), isEmpty(withText(EMPTY, ' ')), isEmpty(withText(EMPTY, 'a'))]).toEqual([true, true, false]);
    const chosen = withVerdict(EMPTY, 'differs');
    expect([isEmpty(chosen), isEmpty(withVerdict(chosen, 'differs'))]).toEqual([false, true]);
  });

  test('that finds nothing says what was looked for', () => {
    expect(nothingFound(withText(EMPTY, ' fc9 '))).toBe('No calls with “fc9” in name, expression or place.');
    expect(nothingFound(withVerdict(withVerdict(EMPTY, 'unchecked'), 'failed'))).toBe(
      'No calls that failed or are unchecked.',
    );
    expect(nothingFound(withText(withVerdict(EMPTY, 'differs'), 'a'))).toBe(
      'No calls that differ with “a” in name, expression or place.',
    );
  });
});
