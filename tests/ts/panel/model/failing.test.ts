import { describe, expect, test } from 'vitest';
import { CallLog } from '../../../../src/panel/model/callLog';
import { failingOf, inTreeOrder, nextFailing, placeText } from '../../../../src/panel/model/failing';
import { layersOf } from '../../../../src/panel/model/layers';
import { moduleTree } from '../../../../src/panel/model/moduleTree';
import type { VerdictKind } from '../../../../src/protocol';
import { call } from './build';

const CALLS: [string, VerdictKind][] = [
  ['m.a', 'different'],
  ['m.b', 'identical'],
  ['n', 'different'],
  ['m.c', 'identical'],
  ['m.c', 'different'],
  ['m.c', 'different'],
];
const LOG = new CallLog();
for (const [at, [name, kind]] of CALLS.entries())
  LOG.put(call(at + 1, { name, forward: { kind, message: kind }, gradients: {} }), at + 1);
const GROUPS = inTreeOrder(LOG.groups(), moduleTree(layersOf(LOG.groups())));

describe('the calls that failed or differ', () => {
  test('are walked in the order of the tree, each layer once, and then from the first again', () => {
    expect(GROUPS.map(({ name }) => name)).toEqual(['m.a', 'm.b', 'm.c', 'n']);
    const failing = failingOf(GROUPS);
    expect(failing.map(({ call: id }) => id)).toEqual([1, 5, 3]);
    const next = (id: number | null) => nextFailing(failing, id)?.call;
    expect([next(null), next(1), next(5), next(3), next(99)]).toEqual([1, 5, 3, 1, 1]);
  });

  test('are counted, with those that are alike', () => {
    const failing = failingOf(GROUPS);
    expect([placeText(failing, 1), placeText(failing, 5), placeText(failing, 99)]).toEqual([
      'Difference 1 of 3',
      'Difference 2 of 3, the oldest of 2 here',
      'Difference',
    ]);
  });

  test('may be none', () => {
    expect(nextFailing([], null)).toBeNull();
  });
});
