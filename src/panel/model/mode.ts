import type { Mode, State } from '../../protocol';

interface Choice {
  mode: Mode;
  word: string;
  /** What it does, after the word. */
  does: string;
}

/** Which calls are checked, from the least to the most. */
export const MODES: readonly Choice[] = [
  { mode: 'shapes', word: 'Shapes', does: 'records calls and their shapes, and checks none' },
  { mode: 'auto', word: 'Auto', does: 'checks as many calls as the budget allows' },
  { mode: 'every', word: 'Every', does: 'checks each call, forward and gradient, and slows the cell down' },
];

export function modeOf(state: State): Mode {
  return state.mode ?? 'auto';
}

/** All choices explained, a line each. */
export const EXPLAINED = MODES.map(({ word, does }) => `${word} ${does}`).join('\n');
