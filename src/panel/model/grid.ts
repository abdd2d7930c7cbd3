import type { Call, ElementValue } from '../../protocol';
import { toNumber } from './numbers';
import type { Compared } from './tensorOf';

export type Agreement = 'same' | 'rounding' | 'different' | 'unchecked';

export const AGREEMENT_SIGN: Record<Agreement, string> = { same: '✓', rounding: '≈', different: '≠', unchecked: '' };

/** What an element comes to: the same value (NaN equals NaN, 0 equals -0), apart by rounding, or further apart. */
export function agreement(call: Call, { target, layer, twin }: Compared, flat: number): Agreement {
  const verdict = target === 'output' ? call.forward : call.gradients[target];
  if (!verdict || verdict.kind === 'unchecked') return 'unchecked';
  if (sameValue(layer?.[flat], twin?.[flat])) return 'same';
  if (verdict.outside?.includes(flat)) return 'different';
  return twin ? 'rounding' : 'unchecked';
}

function sameValue(layer: ElementValue | undefined, twin: ElementValue | undefined): boolean {
  if (layer === undefined || twin === undefined) return false;
  const [mine, formula] = [toNumber(layer), toNumber(twin)];
  return mine === formula || (Number.isNaN(mine) && Number.isNaN(formula));
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
