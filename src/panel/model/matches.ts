import type { Call, Match } from '../../protocol';

/** Near misses first, since they say what to mend; else in the order in which they were found. */
export function matchesOf({ matches = [] }: Call): Match[] {
  const near = matches.filter(isNearMiss);
  return [...near, ...matches.filter((match) => !isNearMiss(match))];
}

function isNearMiss({ verdict }: Match): boolean {
  return verdict.kind === 'different';
}

/** How many matches a closed card shows. */
const SHOWN = 2;

/** What a closed card shows, and how many more there are. */
export function firstMatches(call: Call): { shown: Match[]; more: number } {
  const all = matchesOf(call);
  return { shown: all.slice(0, SHOWN), more: Math.max(0, all.length - SHOWN) };
}

/** `` `hand` is this output, up to rounding ``; of a near miss all but why. */
export function matchSentence({ name, of, verdict }: Match): string {
  const what = of === 'output' ? 'this output' : `this ${of} gradient`;
  switch (verdict.kind) {
    case 'identical':
      return `\`${name}\` is ${what}`;
    case 'rounding':
      return `\`${name}\` is ${what}, up to rounding`;
    case 'different':
      return `\`${name}\` is nearly ${what}`;
    case 'unchecked':
      return `\`${name}\` was not held against ${what}`;
  }
}
