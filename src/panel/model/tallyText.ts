import { CALL_VERDICTS, type CallVerdict, type VerdictTally } from './callVerdict';
import { count } from './numbers';

/** A verdict of so many calls, in a word: `1 differs`, `3 differ`. */
export function verdictWord(verdict: CallVerdict, calls: number): string {
  return verdict === 'differs' && calls !== 1 ? 'differ' : verdict;
}

/** `1 differs, 11 identical`, the worst first. */
export function tallyText(tally: VerdictTally): string {
  const found = CALL_VERDICTS.filter((verdict) => tally[verdict] > 0);
  return found.map((verdict) => `${count(tally[verdict])} ${verdictWord(verdict, tally[verdict])}`).join(', ');
}

export function callsText(calls: number): string {
  return `${count(calls)} ${calls === 1 ? 'call' : 'calls'}`;
}
