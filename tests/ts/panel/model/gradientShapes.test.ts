import { describe, expect, test } from 'vitest';
import { type GradientRole, gradientShapes } from '../../../../src/panel/model/gradientShapes';
import { shapeText } from '../../../../src/panel/model/names';
import type { Call, Operand } from '../../../../src/protocol';
import { callOf } from '../../fixtures';

const exercise = callOf('page-exercise.json');

function withShapes(input: number[], weight: number[], bias: number[], output: number[]): Call {
  const operand = (name: string, shape: number[]): Operand => ({
    name,
    shape,
    dtype: 'float32',
    device: 'cpu',
    requires_grad: true,
  });
  const operands = { input: operand('x', input), weight: operand('w', weight), bias: operand('b', bias) };
  return { ...exercise, operands: { ...operands, weight_t: null, output: operand('y', output) } };
}

function text(call: Call, role: GradientRole): string {
  const factors = gradientShapes(call, role).map(
    ({ operator, shape }) => `${operator} ${shapeText(shape.map(({ size }) => size))}`,
  );
  return factors.join(' ').trim();
}

describe('the shapes of the gradient formulas', () => {
  test.each<[string, number[], number[], number[], number[], string, string, string]>([
    // what, input, weight, bias, output; of the weight, the bias, the input
    ['of a matrix', [1, 2], [3, 2], [1, 3], [1, 3], '[3, 1] @ [1, 2]', '[1, 3]', '[1, 3] @ [3, 2]'],
    ['of rows', [5, 2], [3, 2], [3], [5, 3], '[3, 5] @ [5, 2]', '[5, 3] → [3]', '[5, 3] @ [3, 2]'],
    ['of batches', [4, 5, 2], [3, 2], [3], [4, 5, 3], '[3, 20] @ [20, 2]', '[4, 5, 3] → [3]', '[4, 5, 3] @ [3, 2]'],
    ['of a vector', [2], [3, 2], [3], [3], '[3] outer [2]', '[3]', '[3] @ [3, 2]'],
    ['of a vector of weights', [5, 2], [2], [], [5], '[5] @ [5, 2]', '[5] → []', '[5, 1] * [2]'],
    ['of two vectors', [2], [2], [], [], '[] * [2]', '[]', '[1] * [2]'],
    ['of batches, a vector', [4, 5, 2], [2], [], [4, 5], '[20] @ [20, 2]', '[4, 5] → []', '[4, 5, 1] * [2]'],
  ])('%s', (_, input, weight, bias, output, ofWeight, ofBias, ofInput) => {
    const call = withShapes(input, weight, bias, output);
    expect([text(call, 'weight'), text(call, 'bias'), text(call, 'input')]).toEqual([ofWeight, ofBias, ofInput]);
  });

  test('have their inner dimensions marked', () => {
    const marks = gradientShapes(exercise, 'weight').map(({ shape }) => shape.map(({ mark }) => mark));
    expect(marks).toEqual([
      [null, 'inner'],
      ['inner', null],
    ]);
    const outer = gradientShapes(withShapes([2], [3, 2], [3], [3]), 'weight');
    expect(outer.flatMap(({ shape }) => shape.map(({ mark }) => mark))).toEqual([null, null]);
  });

  test('are left out where an operand is not known', () => {
    const call = { ...exercise, operands: { ...exercise.operands, output: null } };
    expect(gradientShapes(call, 'weight')).toEqual([]);
  });
});
