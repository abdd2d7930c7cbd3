import type { Call } from '../../protocol';
import { toNumber } from './numbers';
import type { Compared } from './tensorOf';

export type Agreement = 'same' | 'rounding' | 'different' | 'unchecked';

export const AGREEMENT_SIGN: Record<Agreement, string> = { same: '✓', rounding: '≈', different: '≠', unchecked: '' };

/** Whether layer and formula have the same value in an element (NaN equals NaN, 0 equals -0). */
export function agreement(call: Call, { target, layer, twin }: Compared, flat: number): Agreement {
  const verdict = target === 'output' ? call.forward : call.gradients[target];
  if (!verdict || verdict.kind === 'unchecked') return 'unchecked';
  const [mine, formula] = [toNumber(layer?.[flat] ?? 'nan'), toNumber(twin?.[flat] ?? 'nan')];
  if (mine === formula || (Number.isNaN(mine) && Number.isNaN(formula))) return 'same';
  return verdict.kind === 'rounding' ? 'rounding' : 'different';
}

/** As many columns as the last dimension has. */
export function gridColumns({ shape }: Compared): number {
  return Math.max(1, shape.at(-1) ?? 1);
}

/** The element that a key leads to; null for a key that does not walk. */
export function move(key: string, from: number, columns: number, count: number): number | null {
  const start = from - (from % columns);
  const steps: Record<string, number> = {
    ArrowLeft: from - 1,
    ArrowRight: from + 1,
    ArrowUp: from - columns,
    ArrowDown: from + columns,
    Home: start,
    End: Math.min(start + columns, count) - 1,
  };
  const to = steps[key];
  if (to === undefined) return null;
  return to < 0 || to >= count ? from : to;
}
