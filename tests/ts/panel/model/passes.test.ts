import { describe, expect, test } from 'vitest';
import { accumulated, accumulationSentence, passesRemark } from '../../../../src/panel/model/passes';
import type { Verdict } from '../../../../src/protocol';
import { callOf } from '../../fixtures';

const exercise = callOf('page-exercise.json');
const noted = (note: string | null): Verdict => ({ kind: 'identical', message: 'identical', note });
const TWO = '`fc.weight.grad` holds 2 backward passes';

describe('what a note says of .grad', () => {
  test.each([
    [TWO, { passes: 2 }],
    ['`w.grad` was added to by 2 backward passes, and a hook of yours runs after each', { passes: null }],
    ['`w.grad` held other values before this backward, which were added to', { passes: null }],
    ['`w.grad` holds the shares of 3 recorded calls', { passes: null }],
    ['0.0 and -0.0 count as equal', null],
    [null, null],
  ])('%s', (note, expected) => expect(accumulated(noted(note))).toEqual(expected));
});

test('a call tells how many passes .grad holds, by whichever gradient says so', () => {
  const gradients = { weight: noted(null), bias: noted('`fc.bias.grad` holds 3 backward passes'), input: null };
  expect(passesRemark({ ...exercise, gradients })).toEqual({
    text: '`.grad` holds 3 passes',
    note: '`fc.bias.grad` holds 3 backward passes',
  });
  expect(passesRemark(exercise)).toBeNull();
});

describe('the explanation of an element of a gradient', () => {
  test('says that .grad adds up, with the number where it is known', () => {
    expect(accumulationSentence('fc.weight.grad', noted(TWO))).toBe(
      'This is one call’s share. `fc.weight.grad` adds up over backward passes: it holds 2 passes.',
    );
    expect(accumulationSentence('w.grad', noted('`w.grad` holds the shares of 3 recorded calls'))).toBe(
      'This is one call’s share. `w.grad` adds up over backward passes.',
    );
  });

  test('says nothing of it where the note does not', () => {
    expect(accumulationSentence('w.grad', noted(null))).toBeNull();
  });
});
