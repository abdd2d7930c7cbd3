import type { Verdict } from '../../protocol';
import { brief, toNumber } from './numbers';

/** A logarithmic scale from 0 to 1 with the largest difference and the bound on it, and the sentence it draws. */
export interface Gauge {
  mark: number;
  bound: number;
  sentence: string;
}

const FINEST = 0.1;

/** Null where nothing was measured, or where a difference has no size (NaN, infinity). */
export function gaugeOf({ units, bound }: Verdict): Gauge | null {
  const [largest, limit] = [toNumber(units ?? 'nan'), toNumber(bound ?? 'nan')];
  if (!Number.isFinite(largest) || !Number.isFinite(limit) || limit <= 0) return null;
  const top = Math.max(limit * 10, 10);
  const place = (value: number) => Math.min(1, Math.max(0, Math.log(value / FINEST) / Math.log(top / FINEST)));
  return { mark: place(largest), bound: place(limit), sentence: sentence(largest, limit) };
}

function sentence(units: number, bound: number): string {
  const apart = `at most ${brief(units)} units apart`;
  if (units > bound) return `${apart}; rounding can explain ${brief(bound)}`;
  return `${apart}, ${brief((units / bound) * 100)} % of the ${brief(bound)} that rounding can explain`;
}
