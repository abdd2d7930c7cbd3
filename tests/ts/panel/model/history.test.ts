import { expect, test } from 'vitest';
import { History, KEPT } from '../../../../src/panel/model/history';

function entered(...texts: string[]): History {
  const history = new History();
  for (const text of texts) history.enter(text);
  return history;
}

function walk(history: History, ...ways: ('back' | 'forth')[]): string[] {
  return ways.map((way) => {
    history[way]();
    return history.text;
  });
}

test('goes back to the oldest, and forth to what was being typed', () => {
  const history = entered('a', 'b');
  history.type('c');
  expect(walk(history, 'back', 'back', 'back', 'forth', 'forth', 'forth')).toEqual(['b', 'a', 'a', 'b', 'c', 'c']);
});

test('what is changed in an older line is what is being typed', () => {
  const history = entered('a', 'b');
  history.back();
  history.type('b + 1');
  expect(walk(history, 'back', 'forth')).toEqual(['b', 'b + 1']);
});

test('the box is empty once something was entered, and the same twice is one', () => {
  const history = entered('a', 'b', 'b');
  expect(history.text).toBe('');
  expect(walk(history, 'back', 'back')).toEqual(['b', 'a']);
});

test('the oldest fall off', () => {
  const history = entered(...Array.from({ length: KEPT + 5 }, (_, at) => `x${at}`));
  expect(walk(history, ...Array.from({ length: KEPT + 9 }, () => 'back' as const)).at(-1)).toBe('x5');
});
