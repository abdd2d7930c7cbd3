import { CALL_VERDICTS, type CallVerdict, emptyVerdicts, type VerdictTally } from './callVerdict';
import type { Group } from './group';
import { siteText } from './site';

/** Which calls a person wants to see: those with a text in their words, and of these those of certain verdicts. */
export interface Filter {
  /** As it was typed. */
  text: string;
  /** Empty for all. */
  verdicts: ReadonlySet<CallVerdict>;
}

export const EMPTY: Filter = { text: '', verdicts: new Set() };

export function isEmpty({ text, verdicts }: Filter): boolean {
  return text.trim() === '' && verdicts.size === 0;
}

export function withText(filter: Filter, text: string): Filter {
  return { ...filter, text };
}

/** With the verdict added to those that are wanted, or taken from them. */
export function withVerdict({ text, verdicts }: Filter, verdict: CallVerdict): Filter {
  const others = [...verdicts].filter((each) => each !== verdict);
  return { text, verdicts: new Set(verdicts.has(verdict) ? others : [...others, verdict]) };
}

/** What is found: the groups with the calls that are wanted, and how many calls of each verdict have the text. */
export interface Found {
  groups: readonly Group[];
  tally: VerdictTally;
}

/** `part`: of a group, the calls of these verdicts. */
export function found(
  groups: readonly Group[],
  { text, verdicts }: Filter,
  part: (group: Group, verdicts: ReadonlySet<CallVerdict>) => Group,
): Found {
  const named = text.trim() ? groups.filter((group) => has(group, text.trim().toLowerCase())) : groups;
  const wanted = verdicts.size
    ? named.filter(({ tally }) => [...verdicts].some((verdict) => tally[verdict] > 0))
    : named;
  return { groups: verdicts.size ? wanted.map((group) => part(group, verdicts)) : wanted, tally: tallyOf(named) };
}

/** Whether the text, in small letters, is in the name, the expression or the place. */
function has({ name, expression, site }: Group, text: string): boolean {
  return [name, expression, siteText(site), site.file ?? ''].some((words) => words.toLowerCase().includes(text));
}

export function tallyOf(groups: readonly Group[]): VerdictTally {
  const total = emptyVerdicts();
  for (const { tally } of groups) for (const verdict of CALL_VERDICTS) total[verdict] += tally[verdict];
  return total;
}

const PHRASE: Record<CallVerdict, string> = {
  failed: 'failed',
  differs: 'differ',
  rounding: 'differ by rounding only',
  identical: 'are identical',
  unchecked: 'are unchecked',
};

/** What was looked for, where nothing was found. */
export function nothingFound({ text, verdicts }: Filter): string {
  const kinds = CALL_VERDICTS.filter((verdict) => verdicts.has(verdict)).map((verdict) => PHRASE[verdict]);
  const which = kinds.length ? ` that ${kinds.join(' or ')}` : '';
  const words = text.trim() ? ` with “${text.trim()}” in name, expression or place` : '';
  return `No calls${which}${words}.`;
}
