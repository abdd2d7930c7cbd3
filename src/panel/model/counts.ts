import type { InternalErrors } from '../../protocol';
import type { VerdictTally } from './callVerdict';
import type { Records } from './records';

export interface Counts extends Pick<VerdictTally, 'failed' | 'differs' | 'unchecked'> {
  /** Every check that was made of them agrees. */
  agrees: number;
  /** Calls since the start or the last clear, shown or not. */
  calls: number;
  /** How many of them are not here any more. */
  dropped: number;
  internalErrors: InternalErrors | null;
}

export function countsOf({ calls: { size, fellOff, tally }, state }: Records): Counts {
  const calls = Math.max(state?.calls ?? 0, size + fellOff);
  const dropped = Math.max(fellOff, Math.min(state?.dropped ?? 0, calls - size));
  const { failed, differs, rounding, identical, unchecked } = tally;
  const agrees = rounding + identical;
  return { failed, differs, agrees, unchecked, calls, dropped, internalErrors: state?.internal_errors ?? null };
}
