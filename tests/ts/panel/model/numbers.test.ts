import { describe, expect, test } from 'vitest';
import { brief, compact, roundTo, shortest } from '../../../../src/panel/model/numbers';

describe('the shortest decimal', () => {
  test.each([
    [Math.fround(0.1), 'float32', '0.1'],
    [0.1, 'float64', '0.1'],
    [Math.fround(1 / 3), 'float32', '0.33333334'],
    [16777216, 'float32', '16777216'],
    [2 ** -149, 'float32', '1e-45'],
    [0.1005859375, 'bfloat16', '0.1006'],
    [3.140625, 'bfloat16', '3.14'],
    [65504, 'float16', '65500'],
    [0.0999755859375, 'float16', '0.1'],
    [-0, 'float32', '-0'],
    [682, 'float32', '682'],
  ])('of %d in %s is %s', (value, dtype, text) => {
    expect(shortest(value, dtype)).toBe(text);
    expect(roundTo(dtype, Number(text))).toBe(value);
  });

  test.each([
    [Math.fround(0.15622629), 'bfloat16', '0.15622629'],
    [Math.fround(0.42069244), 'float16', '0.42069244'],
    [0.1, 'float16', '0.1'],
    [0.1 + 0.2, 'float32', '0.30000000000000004'],
  ])('of %d, which %s does not have, is that of the next wider dtype: %s', (value, dtype, text) => {
    expect(shortest(value, dtype)).toBe(text);
  });

  test.each(['nan', 'inf', '-inf'] as const)('of %s is the word', (word) => {
    expect(shortest(word, 'float32')).toBe(word);
  });
});

describe('rounding to a dtype', () => {
  test.each([
    ['bfloat16', 1 + 2 ** -8, 1],
    ['bfloat16', 1 + 3 * 2 ** -8, 1 + 2 ** -6],
    ['float16', 1 + 2 ** -11, 1],
    ['float16', 1 + 3 * 2 ** -11, 1 + 2 ** -9],
    ['float16', 65520, Number.POSITIVE_INFINITY],
    ['float16', 2 ** -24, 2 ** -24],
    ['float16', 2 ** -26, 0],
    ['bfloat16', 3.4e38, Number.POSITIVE_INFINITY],
  ])('%s ties to even: %d to %d', (dtype, value, rounded) => {
    expect(roundTo(dtype, value)).toBe(rounded);
  });
});

test('a size is told in two digits', () => {
  expect([0.8, 4.096, 514, 8123456, 1.9e-6].map(brief)).toEqual(['0.8', '4.1', '514', '8,100,000', '1.9e-6']);
});

test('a grid shows at most five digits', () => {
  expect(compact(Math.fround(0.52582145), 'float32')).toBe('0.52582');
  expect(compact(16777216, 'float32')).toBe('16777216');
  expect(compact('nan', 'float32')).toBe('nan');
});
