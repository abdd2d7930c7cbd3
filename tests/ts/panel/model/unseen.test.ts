import { describe, expect, test } from 'vitest';
import { type Unseen, unseenCalls, unseenText } from '../../../../src/panel/model/unseen';

const unseen = (calls: number | null): Unseen => ({ kind: 'fused', where: '`m`', calls, message: 'Not seen.' });

describe('what ran unseen', () => {
  test.each<[(number | null)[], string]>([
    [[12], '12 calls ran unseen'],
    [[1], '1 call ran unseen'],
    [[1000, 24], '1,024 calls ran unseen'],
    [[null], 'some calls may run unseen'],
    [[null, 4, null], '4 calls ran unseen, others may'],
  ])('of %j is summed up as "%s"', (calls, text) => {
    expect(unseenText(calls.map(unseen))).toBe(text);
  });

  test('is counted one by one, where it can be', () => {
    expect([unseenCalls(unseen(4)), unseenCalls(unseen(1)), unseenCalls(unseen(null))]).toEqual([
      '4 calls',
      '1 call',
      'not counted',
    ]);
  });
});
