import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** The value below which a share of the values lies. */
export function quantile(values: number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

export interface Figure {
  what: string;
  value: number;
  unit: string;
  /** What it should be, where something is wanted. */
  wanted?: string;
}

/** Writes the figures as JSON, and prints them as a table. */
export function tell(figures: Figure[], path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${JSON.stringify(figures, null, 1)}\n`);
  const width = Math.max(...figures.map(({ what }) => what.length));
  for (const { what, value, unit, wanted } of figures) {
    const number = value.toLocaleString('en', { maximumFractionDigits: 1 });
    console.log(`${what.padEnd(width)}  ${`${number} ${unit}`.padStart(14)}  ${wanted ?? ''}`);
  }
}
