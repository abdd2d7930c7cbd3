import { expect, test } from 'vitest';
import { gradOutput } from '../../../../src/panel/model/gradOutput';
import { callOf } from '../../fixtures';

const exercise = callOf('page-exercise.json');

test('g has as many columns as the output, the leading dimensions in one', () => {
  expect(gradOutput(exercise)).toEqual({ rows: [[1, 1, 1]], dtype: 'float32' });
  const output = exercise.operands.output && { ...exercise.operands.output, shape: [2, 2, 1] };
  const call = { ...exercise, operands: { ...exercise.operands, output } };
  const rows = gradOutput({ ...call, values: { ...call.values, grad_output: [1, 2, 'nan', 4] } })?.rows;
  expect(rows).toEqual([[1], [2], ['nan'], [4]]);
});

test('g is left out where it did not travel', () => {
  expect(gradOutput(callOf('page-before-backward.json'))).toBeNull();
});
