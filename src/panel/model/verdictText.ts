import type { Call, Verdict, VerdictKind } from '../../protocol';
import { count } from './numbers';

/** How a verdict is shown: never by colour alone. */
export const SIGN: Record<VerdictKind, string> = { identical: '✓', rounding: '≈', different: '✕', unchecked: '–' };

/** What a verdict is called. */
const WORD: Record<VerdictKind, string> = {
  identical: 'identical',
  rounding: 'rounding only',
  different: 'different',
  unchecked: 'unchecked',
};

export interface Chip {
  /** What was checked. */
  label: string;
  kind: VerdictKind;
  /** The verdict in a word; empty where the label says it all. */
  word: string;
  /** The verdict in a sentence. */
  sentence: string;
}

/** The verdicts on a call in a row: on its output, and on each gradient or that there was no backward yet. */
export interface ChipRow {
  output: Chip;
  gradients: Chip[];
}

export function chips(call: Call): ChipRow {
  const output = chip('output', call.forward);
  const { weight, bias, input } = call.gradients;
  if (!isReached(call)) return { output, gradients: [PENDING] };
  const ofBias = call.operands.bias ? [chip('bias', bias)] : [];
  return { output, gradients: [chip('weight', weight), ...ofBias, chip('input', input)] };
}

/** Whether a backward has come to the call. It need not have a gradient for each operand. */
export function isReached({ gradients: { weight, bias, input } }: Call): boolean {
  return Boolean(weight || bias || input);
}

/**
 * Whether the word of a gradient's chip is to be seen: not where the chip before it, the output's before the first, has
 * said it already, nor where nothing was compared. The sign is always there, and the word is always read aloud.
 */
export function showsWord({ output, gradients }: ChipRow, at: number): boolean {
  const [chip, before] = [gradients[at], gradients[at - 1] ?? output];
  return chip?.kind !== 'unchecked' && chip?.word !== before.word;
}

const PENDING: Chip = {
  label: 'no backward yet',
  kind: 'unchecked',
  word: '',
  sentence: '.backward() has not reached this call',
};

const NO_GRADIENT = '.backward() has brought no gradient for it';

function chip(label: string, verdict: Verdict | null | undefined): Chip {
  if (!verdict) return { label, kind: 'unchecked', word: WORD.unchecked, sentence: NO_GRADIENT };
  return { label, kind: verdict.kind, word: WORD[verdict.kind], sentence: sentenceOf(verdict) };
}

/** The message, and why where nothing was compared. */
export function sentenceOf({ kind, message, reason }: Verdict): string {
  return kind === 'unchecked' && reason ? reason : message;
}

/** The same for a narrow column. */
export function briefSentenceOf(verdict: Verdict): string {
  const { kind, elements, coverage } = verdict;
  if (kind !== 'identical' || !elements) return sentenceOf(verdict);
  const isWhole = coverage == null || coverage === 'all';
  return isWhole ? `identical, ${count(elements)} of ${count(elements)}` : 'identical where compared';
}

export interface Remark {
  label: string;
  /** The operand that was judged, or whose gradient was. */
  role: 'output' | 'weight' | 'bias' | 'input';
  verdict: Verdict;
}

/** What a person must not miss even where the call is folded: checks that found more than equality. */
export function remarks(call: Call): Remark[] {
  const roles = ['output', 'weight', 'bias', 'input'] as const;
  const all = roles.flatMap((role) => {
    const verdict = role === 'output' ? call.forward : call.gradients[role];
    return verdict ? [{ label: role === 'output' ? role : `${role} gradient`, role, verdict }] : [];
  });
  return all.filter(({ verdict: { kind } }) => kind === 'different' || kind === 'rounding');
}
