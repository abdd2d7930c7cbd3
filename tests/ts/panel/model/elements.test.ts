import { describe, expect, test } from 'vitest';
import { derivationOf, derive, result, summands, total } from '../../../../src/panel/model/elements';
import { comparedTensors, type Target } from '../../../../src/panel/model/tensorOf';
import type { Call } from '../../../../src/protocol';
import { callOf } from '../../fixtures';

const exercise = callOf('page-exercise.json');
const threeDimensional = callOf('page-rounding.json');

function tensor(call: Call, target: Target) {
  const found = comparedTensors(call).find((each) => each.target === target);
  if (!found) throw new Error(`no ${target}`);
  return found;
}

function derivation(call: Call, target: Target, flat: number) {
  const found = derive(call, tensor(call, target), flat);
  if (!found) throw new Error('values are missing');
  return found;
}

describe('an element of the output', () => {
  test.each([
    [0, 381],
    [1, 682],
    [2, 983],
  ])('number %i of the exercise is %i', (flat, value) => {
    expect(total(derivation(exercise, 'output', flat))).toBe(value);
    expect(result(derivation(exercise, 'output', flat))).toEqual({ sign: '=', value: String(value), exact: null });
  });

  test('is told by its factors and where they stand', () => {
    const second = derivation(exercise, 'output', 1);
    expect(second.name).toBe('fc_out[0, 1]');
    expect(summands(second)).toEqual(['10·21', '20·22', '32']);
    expect(second.caption).toBe('row 0 of x · row 1 of w + b[0, 1]');
  });

  test('behind leading dimensions names the row by all of them', () => {
    const last = derivation(threeDimensional, 'output', 23);
    expect(last.name).toBe('logits[1, 2, 3]');
    expect(last.caption).toBe('row [1, 2] of src · row 3 of head.weight + head.bias[3]');
    const { input, weight, bias, output } = threeDimensional.values;
    const numbers = (values: typeof input, from: number) => (values ?? []).slice(from, from + 5).map(Number);
    const [x, w] = [numbers(input, 25), numbers(weight, 15)];
    const expected = x.reduce((sum, each, k) => sum + each * (w[k] ?? 0), 0) + Number(bias?.[3]);
    expect(total(last)).toBeCloseTo(expected, 12);
    expect(total(last)).toBeCloseTo(Number(output?.[23]), 5);
  });

  test('of a vector without bias, with infinity', () => {
    const call = callOf('page-nonfinite.json');
    expect(derivation(call, 'output', 1).caption).toBe('input · row 1 of weight');
    expect(summands(derivation(call, 'output', 1))).toEqual(['0.1006·(-3)', 'inf·0']);
    expect(result(derivation(call, 'output', 1)).value).toBe('nan');
  });
});

describe('an element of a gradient', () => {
  /** Two rows of input, so that the sum over the batch shows. */
  const call: Call = {
    ...exercise,
    operands: {
      ...exercise.operands,
      input: { name: 'x', shape: [2, 2], dtype: 'float32', device: 'cpu', requires_grad: true },
      output: { name: 'y', shape: [2, 3], dtype: 'float32', device: 'cpu', requires_grad: true },
    },
    gradients: { weight: exercise.forward, bias: exercise.forward, input: exercise.forward },
    values: {
      ...exercise.values,
      input: [1, 2, 3, 4],
      grad_output: [1, 10, 100, 5, 50, 500],
      grad_weight: [16, 22, 160, 220, 1600, 2200],
      grad_bias: [6, 60, 600],
      grad_input: [3321, 3432, 16605, 17160],
    },
  };

  test('of the weight sums over the batch: 10·2 + 50·4 = 220', () => {
    expect(summands(derivation(call, 'weight', 3))).toEqual(['10·2', '50·4']);
    expect(total(derivation(call, 'weight', 3))).toBe(220);
    expect(derivation(call, 'weight', 3).caption).toBe('column 1 of g · column 1 of x');
  });

  test('of the bias sums a column of g: 100 + 500 = 600', () => {
    expect(summands(derivation(call, 'bias', 2))).toEqual(['100', '500']);
    expect(total(derivation(call, 'bias', 2))).toBe(600);
    expect(derivation(call, 'bias', 2).name).toBe('bias gradient[0, 2]');
  });

  test('of the input goes through a column of the weight: 5·12 + 50·22 + 500·32 = 17160', () => {
    expect(summands(derivation(call, 'input', 3))).toEqual(['5·12', '50·22', '500·32']);
    expect(total(derivation(call, 'input', 3))).toBe(17160);
    expect(derivation(call, 'input', 3).caption).toBe('row 1 of g · column 1 of w');
  });
});

describe('under autocast', () => {
  const call = callOf('page-autocast.json');

  test('the factors are told in the digits of the dtype they were multiplied in', () => {
    expect(summands(derivation(call, 'output', 4))).toEqual(['0.1·1', '0.2·0.125', '0.3·(-0.5)', '0.4·3', '0.2']);
    expect(summands(derivation(call, 'weight', 0))).toEqual(['1·1', '1·0.1']);
    expect(result(derivation(call, 'weight', 0)).value).toBe('1.1');
  });

  test('a factor of another precision, as of an output that is gone, is told in its own digits', () => {
    const terms = { type: 'element', left_name: 'x[0]', right_name: 'w[1]', bias: null, bias_name: null } as const;
    const answer = { ...terms, left: [0.1562262922525406], right: [0.42069244384765625], layer: null };
    expect(summands(derivationOf(answer, tensor(call, 'output'), 1))).toEqual(['0.15622629·0.42069244']);
  });
});

describe('a bias spread over the output', () => {
  /** Two rows of output. */
  const spread = (shape: number[]): Call => ({
    ...exercise,
    operands: {
      ...exercise.operands,
      input: { name: 'x', shape: [2, 2], dtype: 'float32', device: 'cpu', requires_grad: true },
      bias: { name: 'b', shape, dtype: 'float32', device: 'cpu', requires_grad: true },
      output: { name: 'y', shape: [2, 3], dtype: 'float32', device: 'cpu', requires_grad: true },
    },
    values: { ...exercise.values, grad_output: [1, 2, 3, 4, 5, 6], grad_bias: [21] },
  });

  test('as one number gets all of g', () => {
    const whole = derivation(spread([1]), 'bias', 0);
    expect([summands(whole).join(' + '), whole.caption]).toEqual(['1 + 2 + 3 + 4 + 5 + 6', 'sum of all of g']);
  });

  test('not at all gets its own element of g', () => {
    const own = derivation(spread([2, 3]), 'bias', 4);
    expect([summands(own), own.caption]).toEqual([['5'], 'g[1, 1]']);
  });
});

test('an element that the kernel explains reads like one from values at hand', () => {
  const terms = { type: 'element', left: [10, 20], right: [21, 22], left_name: 'x[0]', right_name: 'w[1]' } as const;
  const answer = {
    ...terms,
    left: [...terms.left],
    right: [...terms.right],
    bias: 32,
    bias_name: 'b[0, 1]',
    layer: 682,
  };
  const given = derivationOf(answer, tensor(exercise, 'output'), 1);
  expect(given.caption).toBe('x[0] · w[1] + b[0, 1]');
  expect(result(given)).toEqual({ sign: '=', value: '682', exact: null });
});

test('values that did not travel leave nothing to derive', () => {
  const large = callOf('page-long-names.json');
  expect(derive(large, tensor(large, 'output'), 0)).toBeNull();
});

test('a layer value that the exact sum does not round to is marked', () => {
  const call: Call = { ...exercise, values: { ...exercise.values, output: [381, 682.0001, 983] } };
  expect(result(derivation(call, 'output', 1))).toEqual({ sign: '≈', value: '682.0001', exact: '682' });
});
