import type { Evaluated, EvaluationError, PausedFrame, Product, Statistics } from '../../protocol';
import { shapeText } from './names';
import { compact, count } from './numbers';
import type { Outcome, Pause } from './pause';
import { siteText } from './site';

/** What is read aloud of a pause: where it is, and what comes next. Empty until the frame has answered. */
export function pauseSentence(pause: Pause): string {
  if (pause.isLeaving || !pause.stop) return '';
  const { look } = pause;
  if (look.type === 'refused') return `Paused at ${siteText(pause.stop.site)}. ${look.message}`;
  if (look.type === 'asking') return look.isLate ? LATE_WORDS : '';
  const { site, function: name, products } = look;
  const place = `Paused at ${siteText(site)}${isModule(name) ? '' : ` in ${name}`}`;
  return [place, ...products.map(productSentence)].join('. ');
}

export const LATE_WORDS = 'The debugger has not answered yet.';

export function isModule(name: string): boolean {
  return name === '<module>';
}

function productSentence({ words, state, error }: Product): string {
  return `${words} ${error ? `${RAISES[state]} ${error.type}` : STATES[state]}`;
}

/** How far a product is, in words. */
export const STATES: Record<Product['state'], string> = {
  ahead: 'comes next',
  running: 'runs now',
  raised: 'has raised',
};

export const RAISES: Record<Product['state'], string> = {
  ahead: 'will raise',
  running: 'will raise',
  raised: 'has raised',
};

/** What stands where the line has nothing to show. */
export function nothingAhead(frame: PausedFrame): string | null {
  if (frame.products.length > 0) return null;
  if (frame.unknown !== null) return `What this line will compute is not known: ${frame.unknown}.`;
  if (!frame.torch) return 'PyTorch is not imported yet.';
  return 'This line computes no layer’s call and no `@`.';
}

/** `min -1 · max 2.5 · mean 0.5`, and how many elements are NaN or infinite. */
export function statisticsText(statistics: Statistics): string[] {
  const { min, max, mean, nans, infs, looked_at: looked, elements } = statistics;
  const size = (name: string, value: Statistics['min']) => value !== null && `${name} ${compact(value, 'float64')}`;
  const parts = [
    size('min', min),
    size('max', max),
    size('mean', mean),
    elements > 0 && `${count(nans)} NaN`,
    infs > 0 && `${count(infs)} infinite`,
    elements === 0 && 'no elements',
    looked < elements && `of ${count(looked)} of ${count(elements)} elements`,
  ];
  return parts.filter((part) => part !== false);
}

/** Which part of the tensor a table shows: `[0, 0, :8, :8] of [4, 2, 64, 64]`; null where it is all of it. */
export function partText({ table, table_of: of, tensor }: Evaluated): string | null {
  if (!table || !tensor) return null;
  const { shape } = tensor;
  const [rows, columns] = [table.length, table[0]?.length ?? 0];
  const last = shape.length < 2 ? [columns] : [rows, columns];
  const seen = [...of, ...last];
  const isWhole = shape.every((size, dim) => size === (dim < of.length ? 1 : seen[dim]));
  if (isWhole) return null;
  const index = [...of.map(String), ...last.map((size) => `:${size}`)];
  return `[${index.join(', ')}] of ${shapeText(shape)}`;
}

/** The expression cut at the place of a syntax error: before it, the character there, after it. */
export function cutAt(expression: string, error: EvaluationError): [string, string, string] | null {
  if (error.column === null || error.column === undefined) return null;
  const lines = expression.split('\n');
  const before = lines.slice(0, (error.line ?? 1) - 1).reduce((sum, line) => sum + line.length + 1, 0);
  const at = Math.min(before + error.column, expression.length);
  return [expression.slice(0, at), expression.slice(at, at + 1), expression.slice(at + 1)];
}

/** What came of an evaluation, to be read aloud. */
export function outcomeSentence(outcome: Outcome): string {
  switch (outcome.type) {
    case 'running':
      return 'Evaluating';
    case 'given-up':
    case 'ended':
      return GIVEN_UP[outcome.type];
    case 'refused':
      return outcome.message;
    case 'evaluated':
      return [valueSentence(outcome), ...changedSentences(outcome)].join(' ');
  }
}

export const GIVEN_UP = {
  'given-up':
    'No longer waited for. The kernel gives it up within 10 seconds, but waits for a call of torch that runs. The debugger answers nothing else until then.',
  ended: 'Given up. It has ended by now.',
};

function valueSentence({ error, tensor, statistics, text }: Evaluated): string {
  if (error) return errorText(error);
  if (!tensor) return text ?? '';
  const numbers = statistics ? `, ${statisticsText(statistics).join(', ')}` : '';
  return `${shapeText(tensor.shape)} ${tensor.dtype}${numbers}`;
}

export function errorText({ type, message, column }: EvaluationError): string {
  const place = column === null || column === undefined ? '' : `, at character ${column + 1}`;
  return `${type}${message && `: ${message}`}${place}`;
}

/** What the expression has done that nobody can undo. */
export function changedSentences({ changed }: Evaluated): string[] {
  return changed.map((what) => `It has changed ${what}: that stays so.`);
}
