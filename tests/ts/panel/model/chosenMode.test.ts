import { expect, test } from 'vitest';
import { ChosenMode } from '../../../../src/panel/model/chosenMode';
import type { Mode } from '../../../../src/protocol';

/** What a kernel is to begin with, each time that it is another, after these choices (`!every`) and modes that hold. */
function told(...steps: (Mode | `!${Mode}`)[]): (Mode | null)[] {
  const all: (Mode | null)[] = [];
  const chosen = new ChosenMode((mode) => all.push(mode));
  for (const step of steps) {
    if (step.startsWith('!')) chosen.choose(step.slice(1) as Mode);
    else chosen.see(step as Mode);
  }
  return all;
}

test('a mode that was chosen is kept once it holds', () => {
  expect(told('auto', '!every')).toEqual([]);
  expect(told('auto', '!every', 'auto', 'every', 'every')).toEqual(['every']);
  expect(told('!every', 'every', '!shapes', 'shapes')).toEqual(['every', 'shapes']);
});

test('a mode that the user’s code has chosen is not', () => {
  expect(told('auto', 'every', 'shapes')).toEqual([]);
  expect(told('!every', 'every', 'shapes')).toEqual(['every', null]);
});

test('a mode that was chosen is kept again once it holds again, as after `%%twin`', () => {
  expect(told('!shapes', 'shapes', 'every', 'shapes')).toEqual(['shapes', null, 'shapes']);
});
