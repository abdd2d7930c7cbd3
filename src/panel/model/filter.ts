import { CALL_VERDICTS, type CallVerdict } from './callVerdict';

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
