import { CALL_VERDICTS, type CallVerdict, callsOf, checkedOf, type VerdictTally } from './callVerdict';
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

/** `2 of 2,000`: how many calls were checked, where it was not all of them; null too where nothing is known of any. */
export function partText(tally: VerdictTally): string | null {
  const calls = callsOf(tally);
  const isPart = tally.unchecked > 0 && tally.unchecked < calls;
  return isPart ? `${count(checkedOf(tally))} of ${count(calls)}` : null;
}
