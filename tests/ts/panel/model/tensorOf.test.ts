import { describe, expect, test } from 'vitest';
import { comparedTensors, parseIndex, ravel, unravel } from '../../../../src/panel/model/tensorOf';
import type { Call } from '../../../../src/protocol';
import { callOf } from '../../fixtures';

const exercise = callOf('page-exercise.json');
const large = callOf('page-long-names.json');
const UNCHECKED = { kind: 'unchecked', message: 'not checked: large', reason: 'large' } as const;
const targets = (call: Call) => comparedTensors(call).map(({ target }) => target);

describe('to be looked into', () => {
  test('is the output and two gradients of the exercise, not the input gradient that was never made', () => {
    expect(targets(exercise)).toEqual(['output', 'weight', 'bias']);
  });

  test('is the output of a call that was too large to be checked, which the kernel may still hold', () => {
    const call = { ...large, forward: UNCHECKED, gradients: { weight: UNCHECKED, bias: UNCHECKED, input: UNCHECKED } };
    expect(targets(call)).toEqual(['output']);
  });

  test('is nothing of a call that raised, or whose output is empty', () => {
    const empty = { ...exercise.operands.output, shape: [0, 3] } as NonNullable<Call['operands']['output']>;
    expect(targets(callOf('page-failed.json'))).toEqual([]);
    expect(targets({ ...exercise, gradients: {}, operands: { ...exercise.operands, output: empty } })).toEqual([]);
  });

  test('has the formula’s values only where they are known', () => {
    const [same] = comparedTensors(exercise);
    expect(same?.twin).toBe(same?.layer);
    const [unknown] = comparedTensors({ ...exercise, forward: UNCHECKED });
    expect([unknown?.layer, unknown?.twin]).toEqual([[381, 682, 983], null]);
  });

  test('has the dtype that the layer computed in, also of a gradient under autocast', () => {
    expect(comparedTensors(callOf('page-autocast.json')).map(({ dtype }) => dtype)).toEqual(Array(3).fill('bfloat16'));
  });
});

describe('indices', () => {
  test('go to row-major places and back', () => {
    expect(unravel(23, [2, 3, 4])).toEqual([1, 2, 3]);
    expect(ravel([1, 2, 3], [2, 3, 4])).toBe(23);
  });

  test.each(['1, 2', '[2, 0, 0]', '0, 0, 4', 'a, b, c', '0, 0, -1', '0, 0, 1.5', ''])(
    '%j is no index of [2, 3, 4]',
    (text) => {
      expect(parseIndex(text, [2, 3, 4])).toBeNull();
    },
  );

  test('are read with or without brackets', () => {
    expect(parseIndex('[1, 2, 3]', [2, 3, 4])).toEqual([1, 2, 3]);
    expect(parseIndex('1,2,3', [2, 3, 4])).toEqual([1, 2, 3]);
  });
});
