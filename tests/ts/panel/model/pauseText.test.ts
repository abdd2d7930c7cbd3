import { describe, expect, test } from 'vitest';
import {
  changedSentences,
  cutAt,
  errorText,
  nothingAhead,
  outcomeSentence,
  partText,
  statisticsText,
} from '../../../../src/panel/model/pauseText';
import { decodeAnswer, type Evaluated, type PausedFrame, type Statistics } from '../../../../src/protocol';
import { fixture } from '../../fixtures';

function read(name: string): unknown {
  const decoded = decodeAnswer(fixture(`paused-answer-${name}.json`).value);
  return decoded.type === 'ok' ? decoded.value : null;
}
const evaluated = (name: string) => read(name) as Evaluated;
const frame = (name: string) => read(name) as PausedFrame;

const statistics = (change: Partial<Statistics>): Statistics => ({
  ...{ min: -1, max: 2.5, mean: 0.123456789, nans: 0, infs: 0, looked_at: 4, elements: 4 },
  ...change,
});

describe('statistics', () => {
  test.each<[Partial<Statistics>, string]>([
    [{}, 'min -1 · max 2.5 · mean 0.12346 · 0 NaN'],
    [{ nans: 2, infs: 1, max: 'inf' }, 'min -1 · max inf · mean 0.12346 · 2 NaN · 1 infinite'],
    [{ min: null, max: null, mean: null, nans: 4 }, '4 NaN'],
    [{ min: null, max: null, mean: null, looked_at: 0, elements: 0 }, 'no elements'],
    [{ looked_at: 1000, elements: 5000 }, 'min -1 · max 2.5 · mean 0.12346 · 0 NaN · of 1,000 of 5,000 elements'],
  ])('%j are %s', (change, text) => expect(statisticsText(statistics(change)).join(' · ')).toBe(text));
});

describe('the part that a table shows', () => {
  const part = (shape: number[], of: number[], rows: number, columns: number) => {
    const { tensor, ...rest } = evaluated('tensor');
    const table = Array.from({ length: rows }, () => Array.from({ length: columns }, () => 0));
    return partText({ ...rest, tensor: tensor && { ...tensor, shape }, table, table_of: of });
  };

  test.each<[number[], number[], number, number, string | null]>([
    [[4, 3, 12], [0], 3, 8, '[0, :3, :8] of [4, 3, 12]'],
    [[64, 64], [], 8, 8, '[:8, :8] of [64, 64]'],
    [[20], [], 1, 8, '[:8] of [20]'],
    [[3, 2], [], 3, 2, null],
    [[5], [], 1, 5, null],
    [[], [], 1, 1, null],
    [[1, 3, 2], [0], 3, 2, null],
  ])('of %j at %j, %i by %i, is %s', (shape, of, rows, columns, text) =>
    expect(part(shape, of, rows, columns)).toBe(text),
  );
});

describe('a syntax error', () => {
  const error = (column: number | null, line = 1) => ({ type: 'SyntaxError', message: 'invalid syntax', column, line });

  test('is shown at its character, in its line, or behind the end', () => {
    expect(cutAt('a @@ b', error(3))).toEqual(['a @', '@', ' b']);
    expect(cutAt('(a\n+ ! b)', error(2, 2))).toEqual(['(a\n+ ', '!', ' b)']);
    expect(cutAt('f(', error(9))).toEqual(['f(', '', '']);
    expect(cutAt('a', error(null))).toBeNull();
  });

  test('is told with its place, counted as people do', () => {
    expect(errorText(error(3))).toBe('SyntaxError: invalid syntax, at character 4');
    expect(errorText({ type: 'KeyError', message: '' })).toBe('KeyError');
  });
});

describe('what is read aloud', () => {
  test('of a tensor is its shape and size, of others their text', () => {
    expect(outcomeSentence(evaluated('tensor'))).toBe('[4, 3, 12] float32, min -1.25, max 3.5, mean 0.5, 1 NaN');
    expect(outcomeSentence(evaluated('text'))).toBe('True It has changed `x`, in place: that stays so.');
    expect(outcomeSentence(evaluated('syntax-error'))).toContain('invalid syntax');
    expect(changedSentences(evaluated('tensor'))).toEqual([]);
  });
});

test('a line without a product says why, or that there is none', () => {
  expect(nothingAhead(frame('forward'))).toBeNull();
  expect(nothingAhead(frame('nothing'))).toBe('PyTorch is not imported yet.');
  expect(nothingAhead(frame('unknown'))).toBe('What this line will compute is not known: its source is not known.');
  expect(nothingAhead({ ...frame('unknown'), unknown: null })).toMatch(/no layer’s call and no `@`/);
});
