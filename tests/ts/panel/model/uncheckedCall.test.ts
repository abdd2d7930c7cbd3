import { expect, test } from 'vitest';
import { callVerdict } from '../../../../src/panel/model/callVerdict';
import { outputShape, uncheckedCall } from '../../../../src/panel/model/uncheckedCall';
import { chips } from '../../../../src/panel/model/verdictText';
import { callOf } from '../../fixtures';
import { call } from './build';

const SHORT = { id: 9, shape: [5, 2], time: 3, reason: 'over the budget' };

test('a call that was told in short has the names of the one that it is like, and nothing that was found of that', () => {
  const like = callOf('page-different.json');
  const made = uncheckedCall(like, SHORT);
  const { id, name, expression, site, time } = made;
  expect({ id, name, expression, site, time }).toEqual({ ...pick(like), id: 9, time: 3 });
  expect(callVerdict(made)).toBe('unchecked');
  expect([made.forward.reason, made.forward.message]).toEqual(['over the budget', 'not checked: over the budget']);
  expect([made.values, made.matches, made.error]).toEqual([{}, [], null]);
});

test('that a backward has not reached it is not claimed', () => {
  const { gradients, operands } = call(1);
  const made = uncheckedCall(call(1, { gradients: { ...gradients, weight: null } }), SHORT);
  const { weight, bias, input } = made.gradients;
  expect([weight?.reason, bias?.reason, input?.reason]).toEqual(Array(3).fill('over the budget'));
  expect(chips(made).gradients.map(({ label }) => label)).toEqual(['weight', 'bias', 'input']);
  expect(uncheckedCall(call(1, { operands: { ...operands, bias: null } }), SHORT).gradients.bias).toBeNull();
});

test('its shapes are its own', () => {
  const { operands } = uncheckedCall(call(1), SHORT);
  expect([operands.input?.shape, operands.output?.shape, operands.weight?.shape]).toEqual([
    [5, 2],
    [5, 3],
    [3, 2],
  ]);
});

const shapes = (input: number[], output: number[]) => {
  const { operands } = call(1);
  const operand = operands.input ?? undefined;
  if (!operand) throw new Error('the exercise has an input');
  return call(1, {
    operands: { ...operands, input: { ...operand, shape: input }, output: { ...operand, shape: output } },
  });
};

test.each([
  ['more dimensions', [1, 2], [1, 3], [7, 6, 2], [7, 6, 3]],
  ['one dimension', [1, 2], [1, 3], [2], [3]],
  ['after one dimension', [2], [3], [8, 2], [8, 3]],
  ['a weight of one dimension', [4, 2], [4], [6, 2], [6]],
])('the output of an input with %s', (_, input, output, other, expected) => {
  expect(outputShape(other, shapes(input, output))).toEqual(expected);
});

function pick({ id, name, expression, site, time }: ReturnType<typeof call>) {
  return { id, name, expression, site, time };
}
