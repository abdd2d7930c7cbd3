import type { Call, Verdict } from '../../protocol';
import { SIGN } from './verdictText';

/** What is to be said of a call in one word: it raised, or the worst of its verdicts. Worst first. */
export const CALL_VERDICTS = ['failed', 'differs', 'rounding', 'identical', 'unchecked'] as const;

export type CallVerdict = (typeof CALL_VERDICTS)[number];

export type VerdictTally = Record<CallVerdict, number>;

/** A call whose output agrees stays `identical` until the backward that it waits for has found something else. */
export function callVerdict(call: Call): CallVerdict {
  if (call.error) return 'failed';
  const kinds = verdicts(call).map(({ kind }) => kind);
  if (kinds.includes('different')) return 'differs';
  return (['rounding', 'identical'] as const).find((kind) => kinds.includes(kind)) ?? 'unchecked';
}

/** Every verdict that the call has so far. */
function verdicts({ forward, gradients: { weight, bias, input } }: Call): Verdict[] {
  return [forward, weight, bias, input].filter((verdict) => verdict != null);
}

export function emptyVerdicts(): VerdictTally {
  return { failed: 0, differs: 0, rounding: 0, identical: 0, unchecked: 0 };
}

/** All calls that are counted. */
export function callsOf(tally: VerdictTally): number {
  return CALL_VERDICTS.reduce((total, verdict) => total + tally[verdict], 0);
}

/** Those of which something was compared. */
export function checkedOf({ differs, rounding, identical }: VerdictTally): number {
  return differs + rounding + identical;
}

/** Null where there are no calls. Unchecked calls beside checked ones say nothing about these. */
export function worstOf(tally: VerdictTally): CallVerdict | null {
  return CALL_VERDICTS.find((verdict) => tally[verdict] > 0) ?? null;
}

/** How it is shown: never by colour alone. */
export const MARK: Record<CallVerdict, string> = {
  failed: SIGN.different,
  differs: SIGN.different,
  rounding: SIGN.rounding,
  identical: SIGN.identical,
  unchecked: SIGN.unchecked,
};

/** The style of the words. */
export const TONE: Record<CallVerdict, string> = {
  failed: 'error',
  differs: 'error',
  rounding: 'success',
  identical: 'success',
  unchecked: 'quiet',
};
