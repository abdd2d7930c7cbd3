import { describe, expect, test } from 'vitest';
import { callVerdict } from '../../../../src/panel/model/callVerdict';
import { firstMatches, matchesOf, matchSentence } from '../../../../src/panel/model/matches';
import { callOf } from '../../fixtures';

const call = callOf('page-matches.json');
const names = (matches: { name: string }[]) => matches.map(({ name }) => name);

test('near misses come first, the others in their order', () => {
  const near = ['no_bias', 'twice', 'opposite', 'mean_grad'];
  expect(names(matchesOf(call))).toEqual([...near, 'fc_out_alternative', 'hand', 'w.grad', 'b.grad']);
});

test('a closed card shows two and counts the others', () => {
  const { shown, more } = firstMatches(call);
  expect([names(shown), more]).toEqual([['no_bias', 'twice'], 6]);
});

test('a call of a kernel that looks for none has none', () => {
  const { matches: _, ...older } = call;
  expect(firstMatches(older)).toEqual({ shown: [], more: 0 });
});

test('a near miss of a variable is no difference of the call', () => {
  expect(callVerdict(call)).toBe('identical');
});

describe('a match in a sentence', () => {
  test.each([
    ['fc_out_alternative', '`fc_out_alternative` is this output'],
    ['hand', '`hand` is this output, up to rounding'],
    ['no_bias', '`no_bias` is nearly this output'],
    ['w.grad', '`w.grad` is this weight gradient'],
    ['mean_grad', '`mean_grad` is nearly this weight gradient'],
  ])('%s', (name, sentence) => {
    const match = matchesOf(call).find((each) => each.name === name);
    expect(match && matchSentence(match)).toBe(sentence);
  });

  test('is no claim where nothing was compared', () => {
    const verdict = { kind: 'unchecked', message: 'not checked: it is gone' } as const;
    expect(matchSentence({ name: 'y', of: 'output', verdict })).toBe('`y` was not held against this output');
  });
});
