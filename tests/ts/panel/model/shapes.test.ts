import { expect, test } from 'vitest';
import { shapesText } from '../../../../src/panel/model/shapes';

test.each<[number[][], string | null]>([
  [[], null],
  [[[8, 64]], '[8, 64]'],
  [
    [
      [8, 64],
      [5, 64],
      [8, 64],
    ],
    '[*, 64]',
  ],
  [[[8, 64], [64]], 'varies'],
  [
    [
      [8, 64],
      [5, 32],
    ],
    'varies',
  ],
  [[[]], '[]'],
])('shapes %j are told as %s', (shapes, text) => {
  expect(shapesText(shapes)).toBe(text);
});
