import type { Verdict } from '../../protocol';
import { product } from './elements';
import { brief, count, toNumber } from './numbers';

/**
 * What was compared of a result of this shape, in a sentence; null where it was all of it, or nothing. Rows are those of
 * all leading dimensions taken together.
 */
export function coverageText({ coverage, probe, elements }: Verdict, shape: readonly number[]): string | null {
  if (coverage == null || coverage === 'all') return null;
  const [, some, all] = /^rows (\d+) of (\d+)$/.exec(coverage) ?? [];
  if (some && all) return `compared: ${count(Number(some))} of ${count(Number(all))} rows`;
  if (coverage !== 'probe' || !probe) return `compared: ${coverage}`;
  return `compared: ${exactly(elements, shape)}, ${probed(probe, shape)}`;
}

type Probe = NonNullable<Verdict['probe']>;

function exactly(elements: number | null | undefined, shape: readonly number[]): string {
  const rows = (elements ?? 0) / (shape.at(-1) ?? 1);
  return Number.isInteger(rows) && rows > 0 ? `${plural(rows, 'row')} exactly` : 'some rows exactly';
}

function probed({ smallest, probability, alarms }: Probe, shape: readonly number[]): string {
  const rows = count(product(shape.slice(0, -1)));
  const seen = `it would have seen a wrong element of ${brief(smallest)} or more with probability ${chance(probability)}`;
  return `a random probe over all ${rows}: ${seen}${alarms ? `; ${tripped(alarms)}` : ''}`;
}

function tripped(alarms: number): string {
  return `${plural(alarms, 'row')} tripped it and ${alarms === 1 ? 'was' : 'were'} computed exactly`;
}

function plural(number: number, word: string): string {
  return `${count(number)} ${word}${number === 1 ? '' : 's'}`;
}

/** `15 in 16`, as a probe that is drawn several times gives it; else in percent. */
function chance(probability: number): string {
  const of = 1 / (1 - probability);
  const isPower = Number.isInteger(Math.log2(of));
  return isPower ? `${count(of - 1)} in ${count(of)}` : `${brief(toNumber(probability) * 100)} %`;
}
