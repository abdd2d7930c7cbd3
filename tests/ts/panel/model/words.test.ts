import { describe, expect, test } from 'vitest';
import { boxes, drawingSentence, scale } from '../../../../src/panel/model/boxes';
import { terms, unspelled } from '../../../../src/panel/model/expression';
import { gaugeOf } from '../../../../src/panel/model/gauge';
import { pieces, sentences, shorten, shortenIn } from '../../../../src/panel/model/names';
import { siteText } from '../../../../src/panel/model/site';
import { chips, showsWord } from '../../../../src/panel/model/verdictText';
import type { Call } from '../../../../src/protocol';
import { callOf } from '../../fixtures';

const exercise = callOf('page-exercise.json');

test('the expression comes in parts with the inner dimensions marked', () => {
  const parts = terms(exercise).map(({ operator, name, shape }) => [operator, name, shape?.map((each) => each.mark)]);
  expect(parts).toEqual([
    ['', 'x', [null, 'inner']],
    ['@', 'w.T', ['inner', null]],
    ['+', 'b', [null, null]],
    ['→', 'fc_out', [null, null]],
  ]);
});

describe('the expression is spelled out', () => {
  test.each(['page-exercise.json', 'page-failed.json', 'page-nonfinite.json', 'page-long-names.json'])(
    'not where the drawn operands spell it: %s',
    (name) => expect(unspelled(callOf(name))).toBeNull(),
  );

  test.each(['x.bfloat16() @ w.bfloat16().T + b.bfloat16()', '(x * 2) @ w.T + b', 'input @ w.T + b'])(
    'where they do not: %s',
    (expression) => expect(unspelled({ ...exercise, expression })).toBe(expression),
  );
});

test('a failed call has its clashing dimensions marked and no output', () => {
  const parts = terms(callOf('page-failed.json')).map(({ name, shape }) => [name, shape?.map((each) => each.mark)]);
  expect(parts).toEqual([
    ['h', [null, 'clash']],
    ['fc2.weight.T', ['clash', null]],
    ['fc2.bias', [null]],
  ]);
});

test('a clash told of the weight is marked in its transpose', () => {
  const failed = callOf('page-failed.json');
  const error = failed.error && { ...failed.error, clash: [{ operand: 'weight' as const, dim: 1 }] };
  expect(terms({ ...failed, error })[1]?.shape?.map((each) => each.mark)).toEqual(['clash', null]);
});

describe('an input that is no tensor', () => {
  const { weight_t, bias, weight } = exercise.operands;
  const noTensor = (expression: string): Call => ({
    ...exercise,
    expression,
    operands: { weight, weight_t, bias, input: null, output: null },
  });

  test.each([
    ['[1., 2.] @ w.T + b', '[1., 2.]'],
    ['None @ w.T + b', 'None'],
    ['(a @ w.T) @ w.T + b', '(a @ w.T)'],
  ])('is drawn as it was written, without a shape: %s', (expression, input) => {
    const call = noTensor(expression);
    expect(terms(call).map(({ operator, name }) => `${operator}${name}`)).toEqual([input, '@w.T', '+b']);
    expect(terms(call)[0]?.shape).toBeNull();
    expect(unspelled(call)).toBeNull();
  });

  test('is left out where the expression does not tell it', () => {
    expect(terms(noTensor('F.linear(None, w)')).map(({ name }) => name)).toEqual(['w.T', 'b']);
  });
});

describe('long names', () => {
  test.each([
    ['encoder.layers[0].linear1.weight.T', '….linear1.weight.T'],
    ['fc.weight', 'fc.weight'],
    ['hidden_states_after_attention', '…_after_attention'],
    ['aaaaaaaaaaaaaaaaaaaaaaaaaa', '…aaaaaaaaaaaaaaaaa'],
  ])('%s becomes %s', (name, short) => expect(shorten(name)).toBe(short));
});

test('long names are shortened inside a formula, the rest of it stays', () => {
  const names = ['hidden_states_after_attention', 'fc.weight'];
  const formula = 'g.T @ hidden_states_after_attention.flatten(0, -2) @ fc.weight';
  expect(shortenIn(formula, names)).toBe('g.T @ …_after_attention.flatten(0, -2) @ fc.weight');
});

test('backticks mark code', () => {
  expect(pieces('`h` has 128')).toEqual([
    { text: 'h', code: true },
    { text: ' has 128', code: false },
  ]);
});

test.each([
  ['`a.b` is `x @ w.T`. Write `x @ w.T + b`.', ['`a.b` is `x @ w.T`.', 'Write `x @ w.T + b`.']],
  ['`y` is 0.25 times `z`. Multiply by 4.', ['`y` is 0.25 times `z`.', 'Multiply by 4.']],
  ['`f. Oo` is odd', ['`f. Oo` is odd']],
  ['no simple cause found', ['no simple cause found']],
  ['', []],
])('a text is cut into sentences outside of code: %s', (text, expected) => expect(sentences(text)).toEqual(expected));

describe('a site', () => {
  test.each([
    [{ cell_id: 'a', execution_count: 2, line: 9 }, 'cell [2], line 9'],
    [{ cell_id: 'a', line: 9 }, 'cell, line 9'],
    [{ file: '/home/a/layers.py', line: 41 }, 'layers.py:41'],
    [{ file: 'C:\\a\\layers.py', line: 41 }, 'layers.py:41'],
    [{}, 'unknown place'],
  ])('%j is %s', (site, text) => expect(siteText(site)).toBe(text));
});

describe('verdicts in a row', () => {
  test('say each operand after backward', () => {
    const { output, gradients } = chips(exercise);
    expect([output, ...gradients].map(({ label, kind }) => `${label} ${kind}`)).toEqual([
      'output identical',
      'weight identical',
      'bias identical',
      'input unchecked',
    ]);
  });

  test.each([
    ['page-exercise.json', ['weight', 'bias', 'input']],
    ['page-before-backward.json', ['no backward yet']],
    ['page-autocast.json', ['weight identical', 'bias', 'input']],
  ])('show a word once for those that share it, and none for what was not checked: %s', (name, expected) => {
    const row = chips(callOf(name));
    const seen = row.gradients.map(({ label, word }, at) => label + (showsWord(row, at) ? ` ${word}` : ''));
    expect(seen).toEqual(expected);
  });

  test('say that there was no backward yet', () => {
    expect(chips(callOf('page-before-backward.json')).gradients.map(({ label }) => label)).toEqual(['no backward yet']);
  });

  test('of an operand that got no gradient do not deny the backward that came to others', () => {
    const { gradients } = chips({ ...exercise, gradients: { ...exercise.gradients, bias: null } });
    expect(gradients.map(({ label }) => label)).toEqual(['weight', 'bias', 'input']);
    expect(gradients[1]).toMatchObject({ kind: 'unchecked', sentence: '.backward() has brought no gradient for it' });
  });

  test('leave out a bias that is not there', () => {
    expect(chips(callOf('page-nonfinite.json')).gradients.map(({ label }) => label)).toEqual(['weight', 'input']);
  });
});

describe('the gauge', () => {
  test('lies below the bound for rounding, beyond it for a difference', () => {
    const [fine, off] = [gaugeOf(callOf('page-rounding.json').forward), gaugeOf(callOf('page-different.json').forward)];
    expect(fine?.sentence).toBe('at most 0.8 units apart, 6.7 % of the 12 that rounding can explain');
    expect(off?.sentence).toBe('at most 8,100,000 units apart; rounding can explain 12');
    expect(fine && fine.mark < fine.bound).toBe(true);
    expect(off && off.mark > off.bound).toBe(true);
  });

  test('is left out where a difference has no size', () => {
    expect(gaugeOf(callOf('page-nonfinite.json').forward)).toBeNull();
  });
});

describe('the drawing', () => {
  test('is in proportion where sizes are near each other', () => {
    const length = scale([1, 2, 3]);
    expect([length(1), length(2), length(3)]).toEqual([20, 40, 60]);
  });

  test('stays within bounds where they are not', () => {
    const length = scale([1, 100_000]);
    expect([length(0), length(1), length(100_000)]).toEqual([14, 14, 60]);
    expect(length(300)).toBeGreaterThan(30);
  });

  test('stacks leading dimensions', () => {
    expect(boxes(callOf('page-long-names.json'))[0]).toMatchObject({ batch: [8], rows: 64, columns: 256 });
    expect(boxes(callOf('page-nonfinite.json'))[0]).toMatchObject({ batch: [], rows: null, columns: 2 });
  });

  test('is told in a sentence', () => {
    expect(drawingSentence(exercise)).toBe('x, 1 by 2, times w.T, 2 by 3, plus b, 1 by 3, gives fc_out, 1 by 3');
  });
});
