import { describe, expect, test } from 'vitest';
import { agreement, move } from '../../../../src/panel/model/grid';
import { comparedTensors } from '../../../../src/panel/model/tensorOf';
import type { Call } from '../../../../src/protocol';
import { callOf } from '../../fixtures';

const exercise = callOf('page-exercise.json');

function agreements(change: Partial<Call['forward']>, values: Partial<Call['values']>) {
  const call: Call = {
    ...exercise,
    forward: { ...exercise.forward, ...change },
    values: { ...exercise.values, output: [381, 682, 983], ...values },
  };
  const [output] = comparedTensors(call);
  if (!output) throw new Error('no output');
  return [0, 1, 2].map((flat) => agreement(call, output, flat));
}

describe('an element of layer and formula', () => {
  test('is different only where rounding cannot explain it, else rounding or the same', () => {
    const found = agreements({ kind: 'different', outside: [2] }, { twin_output: [381, 682.0001, 900] });
    expect(found).toEqual(['same', 'rounding', 'different']);
  });

  test('is rounding where another shape alone makes the verdict different', () => {
    const found = agreements({ kind: 'different', outside: null }, { twin_output: [381, 682.0001, 983] });
    expect(found).toEqual(['same', 'rounding', 'same']);
  });

  test('is the same where both are nan, or zeros of either sign', () => {
    const found = agreements({ kind: 'rounding' }, { output: ['nan', -0, 1], twin_output: ['nan', 0, 2] });
    expect(found).toEqual(['same', 'same', 'rounding']);
  });

  test('is not called the same where the formula’s values did not travel', () => {
    const found = agreements({ kind: 'different', outside: [2] }, { twin_output: null });
    expect(found).toEqual(['unchecked', 'unchecked', 'different']);
  });

  test('has no sign where nothing was compared', () => {
    expect(agreements({ kind: 'unchecked' }, {})).toEqual(['unchecked', 'unchecked', 'unchecked']);
  });
});

test('arrow keys stay within the grid', () => {
  const at = (key: string, from: number) => move(key, from, 3, 6);
  expect([at('ArrowRight', 1), at('ArrowLeft', 0), at('ArrowDown', 1), at('ArrowDown', 4)]).toEqual([2, 0, 4, 4]);
  expect([at('ArrowUp', 4), at('Home', 5), at('End', 3), at('a', 1)]).toEqual([1, 3, 5, null]);
});
