import { describe, expect, test } from 'vitest';
import { lineOf, showPlace } from '../../../src/jupyterlab/editor';
import { FakeEditor } from './fakeEditor';

const LINES = ['fc(x)', '', '  fc(x)\r', 'fc(y)', 'fc(x)'];

describe('the line of a place', () => {
  test.each([
    [{ line: 1, source: 'fc(x)' }, 1],
    [{ line: 4, source: 'fc(y)' }, 4],
    [{ line: 2, source: 'fc(y)' }, 4],
    [{ line: 99, source: 'fc(x)' }, 5],
    [{ line: 4, source: 'fc(z)' }, null],
    [{ line: 3, source: 'fc' }, null],
    [{ line: 4, source: null }, 4],
    [{ line: 6, source: null }, null],
    [{ line: null, source: 'fc(x)' }, null],
    [{}, null],
  ])('%j is %s', (place, line) => expect(lineOf(LINES, place)).toBe(line));
});

test('a place is selected and brought to sight', () => {
  const editor = new FakeEditor('a = 1\n  fc(x)  # why\nb = 2');
  expect(showPlace(editor, { line: 1, source: 'fc(x)  # why' })).toBe(true);
  expect(editor).toMatchObject({ selected: '  fc(x)  # why', focused: true, revealed: true });
});

test('no other line is selected for one that is gone', () => {
  const editor = new FakeEditor('a = 1\nb = 2');
  expect(showPlace(editor, { line: 1, source: 'fc(x)' })).toBe(false);
  expect(editor).toMatchObject({ selected: null, focused: false });
});
