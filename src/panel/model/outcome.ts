import type { Call, Verdict } from '../../protocol';

/** What a call comes to: it raised, a check found a difference, every check made agrees, or none was made. */
export type Outcome = 'failed' | 'differs' | 'agrees' | 'unchecked';

export function outcome(call: Call): Outcome {
  if (call.error) return 'failed';
  const kinds = verdicts(call).map(({ kind }) => kind);
  if (kinds.includes('different')) return 'differs';
  return kinds.every((kind) => kind === 'unchecked') ? 'unchecked' : 'agrees';
}

/** Every verdict that the call has so far. */
export function verdicts({ forward, gradients }: Call): Verdict[] {
  return [forward, gradients.weight, gradients.bias, gradients.input].filter((verdict) => verdict != null);
}

export type Tally = Record<Outcome, number>;

export function emptyTally(): Tally {
  return { failed: 0, differs: 0, agrees: 0, unchecked: 0 };
}
