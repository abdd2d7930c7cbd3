import type { Verdict } from '../../protocol';
import { brief, toNumber } from './numbers';

/** A logarithmic scale from 0 to 1 with the largest difference and the bound on it, and the sentence it draws. */
export interface Gauge {
  mark: number;
  bound: number;
  sentence: string;
}

const FINEST = 0.1;

/** Null where nothing was measured. */
export function gaugeOf({ units, bound }: Verdict): Gauge | null {
  if (units == null || bound == null) return null;
  const limit = toNumber(bound);
  if (!(limit > 0)) return null;
  const top = Math.max(limit * 10, 10);
  const place = (value: number) => Math.min(1, Math.max(0, Math.log(value / FINEST) / Math.log(top / FINEST)));
  const largest = toNumber(units);
  return {
    mark: Number.isNaN(largest) ? 1 : place(largest),
    bound: place(limit),
    sentence: sentence(units, bound, limit),
  };
}

function sentence(units: NonNullable<Verdict['units']>, bound: NonNullable<Verdict['bound']>, limit: number): string {
  const share = toNumber(units) / limit;
  const percent = share <= 1 ? `, ${brief(share * 100)} % of it` : '';
  return `largest difference ${brief(units)} units; rounding can explain ${brief(bound)}${percent}`;
}
