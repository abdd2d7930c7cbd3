import { CALL_VERDICTS, type CallVerdict, MARK, TONE, type VerdictTally } from './callVerdict';
import type { Group } from './group';
import { count } from './numbers';
import { partText } from './tallyText';
import { sentenceOf } from './verdictText';

/** A part of what is told of a group, with the sign and the tone of its verdict. */
export interface Finding {
  sign: string;
  text: string;
  tone: string;
}

export interface Summary {
  /** How many were checked, where it was not all of them. */
  checked: string | null;
  /** What came of the calls, worst first. */
  findings: Finding[];
  /** What came of the newest one that was checked, where not all say the same. */
  latest: Finding | null;
}

const ONE: Record<CallVerdict, string> = {
  failed: 'failed',
  differs: 'differs',
  rounding: 'rounding only',
  identical: 'identical',
  unchecked: 'unchecked',
};

const MANY: Record<CallVerdict, string> = { ...ONE, differs: 'differ' };

/** The calls of a group in a few words. `latest`: the verdict of the newest one that was checked. */
export function summary(group: Pick<Group, 'tally' | 'count' | 'newest'>, latest: CallVerdict | null): Summary {
  const { tally, count: calls, newest } = group;
  if (tally.unchecked === calls)
    return { checked: null, findings: [noneChecked(sentenceOf(newest.forward))], latest: null };
  const seen = CALL_VERDICTS.filter((verdict) => verdict !== 'unchecked' && tally[verdict] > 0);
  const findings = seen.map((verdict) => finding(verdict, wordOf(verdict, tally[verdict], isAll(seen, tally))));
  const tells = latest !== null && seen.filter((verdict) => verdict !== 'failed').length > 1;
  const part = partText(tally);
  return { checked: part && `${part} checked`, findings, latest: tells ? finding(latest, ONE[latest]) : null };
}

/** The way to the oldest call that raised or differs: `Go to call 17, the first that differs`. */
export function wayTo(call: number, verdict: CallVerdict, { tally }: Pick<Group, 'tally'>): string {
  const what = tally.failed + tally.differs === 1 ? 'which' : 'the first that';
  return `Go to call ${count(call)}, ${what} ${ONE[verdict]}`;
}

function finding(verdict: CallVerdict, text: string): Finding {
  return { sign: MARK[verdict], text, tone: TONE[verdict] };
}

/** Whether the only verdict is that of all calls that it can be said of: unchecked ones were no less carried out. */
function isAll([verdict, another]: CallVerdict[], { unchecked }: VerdictTally): boolean {
  return !another && (verdict !== 'failed' || unchecked === 0);
}

/** `all`: the only thing that is to be told. */
function wordOf(verdict: CallVerdict, calls: number, all: boolean): string {
  const word = (calls === 1 ? ONE : MANY)[verdict];
  return all && calls > 1 ? `all ${word}` : `${count(calls)} ${word}`;
}

function noneChecked(reason: string): Finding {
  return finding('unchecked', `none checked: ${reason}`);
}
