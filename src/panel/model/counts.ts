import type { InternalErrors } from '../../protocol';
import type { Tally } from './outcome';
import type { Records } from './records';

export interface Counts extends Tally {
  /** Calls since the start or the last clear, shown or not. */
  calls: number;
  /** How many of them are not here any more. */
  dropped: number;
  internalErrors: InternalErrors | null;
}

export function countsOf({ calls: { size, fellOff, tally }, state }: Records): Counts {
  const calls = Math.max(state?.calls ?? 0, size + fellOff);
  const dropped = Math.max(fellOff, Math.min(state?.dropped ?? 0, calls - size));
  return { ...tally, calls, dropped, internalErrors: state?.internal_errors ?? null };
}
