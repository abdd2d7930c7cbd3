import type { Call, ElementTerms, ElementValue } from '../../protocol';
import { shapeText } from './names';
import { roundTo, shortest, toNumber } from './numbers';
import { type Compared, type Target, unravel } from './tensorOf';

/** How one element came about: `left[k] * right[k]` summed, plus the bias. Without `right`, `left` alone is summed. */
export interface Derivation {
  /** `fc_out[0, 1]` */
  name: string;
  /** `row 0 of x · row 1 of w + b[0, 1]` */
  caption: string;
  left: ElementValue[];
  right: ElementValue[] | null;
  bias: ElementValue | null;
  /** The layer's own value, null where it is not known. */
  layer: ElementValue | null;
  dtype: string;
}

interface Matrices {
  /** Rows of input and output, all leading dimensions taken together. */
  rows: number;
  inner: number;
  outer: number;
}

/** The derivation from the values that travelled with the call; null where one of them did not. */
export function derive(call: Call, tensor: Compared, flat: number): Derivation | null {
  const sizes = matrices(call);
  const parts = sizes && PARTS[tensor.target](call, sizes, flat);
  if (!parts) return null;
  const layer = tensor.layer?.[flat] ?? null;
  return { bias: null, ...parts, name: elementName(tensor, flat), layer, dtype: tensor.dtype };
}

/** The derivation that the kernel answered with. */
export function derivationOf(terms: ElementTerms, tensor: Compared, flat: number): Derivation {
  const bias = terms.bias_name === null ? '' : ` + ${terms.bias_name}`;
  const caption = `${terms.left_name} · ${terms.right_name}${bias}`;
  const { left, right, layer } = terms;
  return { name: elementName(tensor, flat), caption, left, right, bias: terms.bias, layer, dtype: tensor.dtype };
}

export function elementName({ label, shape }: Compared, flat: number): string {
  return shape.length ? `${label}${shapeText(unravel(flat, shape))}` : label;
}

type Parts = Pick<Derivation, 'caption' | 'left' | 'right'> & { bias?: ElementValue | null };

const PARTS: Record<Target, (call: Call, sizes: Matrices, flat: number) => Parts | null> = {
  output: outputParts,
  weight: weightParts,
  bias: biasParts,
  input: inputParts,
};

/** y[m, n] = sum over k of x[m, k] w[n, k], plus b[n] */
function outputParts(call: Call, { inner, outer }: Matrices, flat: number): Parts | null {
  const { input, weight } = call.values;
  const bias = biasAt(call, flat, outer);
  if (!input || !weight || bias === 'unknown') return null;
  const [row, column] = divide(flat, outer);
  const tail = bias ? ` + ${bias.name}` : '';
  return {
    caption: `${rowOf(call, row)} · row ${column} of ${call.operands.weight?.name}${tail}`,
    left: slice(input, row * inner, inner),
    right: slice(weight, column * inner, inner),
    bias: bias?.value ?? null,
  };
}

/** dw[n, k] = sum over m of g[m, n] x[m, k] */
function weightParts(call: Call, { rows, inner, outer }: Matrices, flat: number): Parts | null {
  const { input, grad_output: grad } = call.values;
  if (!input || !grad) return null;
  const [n, k] = divide(flat, inner);
  const name = call.operands.input?.name;
  return {
    caption: `column ${n} of g · column ${k} of ${name}`,
    left: column(grad, n, rows, outer),
    right: column(input, k, rows, inner),
  };
}

/** db[n] = sum over m of g[m, n], for a bias of another shape over all that it was spread to. */
function biasParts(
  { operands: { bias, output }, values: { grad_output: grad } }: Call,
  { rows, outer }: Matrices,
  flat: number,
): Parts | null {
  if (!grad || !bias) return null;
  const size = product(bias.shape);
  if (size === outer) {
    return { caption: `sum of column ${flat} of g`, left: column(grad, flat, rows, outer), right: null };
  }
  if (size === 1) return { caption: 'sum of all of g', left: grad, right: null };
  if (size !== grad.length || !output) return null;
  return { caption: `g${shapeText(unravel(flat, output.shape))}`, left: slice(grad, flat, 1), right: null };
}

/** dx[m, k] = sum over n of g[m, n] w[n, k] */
function inputParts(call: Call, { inner, outer }: Matrices, flat: number): Parts | null {
  const { weight, grad_output: grad } = call.values;
  if (!weight || !grad) return null;
  const [m, k] = divide(flat, inner);
  const caption = `${rowOf(call, m, 'g')} · column ${k} of ${call.operands.weight?.name}`;
  return { caption, left: slice(grad, m * outer, outer), right: column(weight, k, outer, inner) };
}

function matrices({ operands: { input, weight } }: Call): Matrices | null {
  const [outer, inner] = weight?.shape ?? [];
  if (!input || outer === undefined || inner === undefined) return null;
  return { rows: product(input.shape.slice(0, -1)), inner, outer };
}

/** The bias that an element of the output got. `unknown` where it did not travel or is spread in an unusual way. */
function biasAt({ operands: { bias, output }, values }: Call, flat: number, outer: number) {
  if (!bias) return null;
  const size = product(bias.shape);
  if (values.bias?.length !== size || ![1, outer, product(output?.shape ?? [])].includes(size)) return 'unknown';
  const at = flat % size;
  return { value: values.bias[at] ?? null, name: `${bias.name}${shapeText(unravel(at, bias.shape))}` };
}

/** `row 0 of x`, `row [0, 2] of x` behind leading dimensions, `x` of a vector. */
function rowOf({ operands: { input } }: Call, row: number, name = input?.name ?? 'input'): string {
  const leading = input?.shape.slice(0, -1) ?? [];
  if (leading.length === 0) return name;
  return leading.length === 1 ? `row ${row} of ${name}` : `row ${shapeText(unravel(row, leading))} of ${name}`;
}

function slice(values: ElementValue[], from: number, length: number): ElementValue[] {
  return values.slice(from, from + length);
}

function column(values: ElementValue[], at: number, rows: number, columns: number): ElementValue[] {
  return Array.from({ length: rows }, (_, row) => values[row * columns + at] ?? 'nan');
}

function divide(flat: number, by: number): [number, number] {
  return [Math.floor(flat / by), flat % by];
}

export function product(sizes: readonly number[]): number {
  return sizes.reduce((all, size) => all * size, 1);
}

/** The sum in float64. */
export function total({ left, right, bias }: Derivation): number {
  const products = left.map((value, k) => toNumber(value) * (right ? toNumber(right[k] ?? 'nan') : 1));
  return products.reduce((sum, each) => sum + each, 0) + (bias === null ? 0 : toNumber(bias));
}

/** `10·21`, `20·22`, `32`: what is summed, in the words of the dtype. */
export function summands({ left, right, bias, dtype }: Derivation): string[] {
  const factor = (value: ElementValue) => parenthesised(shortest(value, dtype));
  const products = left.map((value, k) => (right ? `${factor(value)}·${factor(right[k] ?? 'nan')}` : factor(value)));
  return bias === null ? products : [...products, factor(bias)];
}

function parenthesised(text: string): string {
  return text.startsWith('-') ? `(${text})` : text;
}

/** The result: the layer's value, and whether the float64 sum rounds to it. */
export function result(derivation: Derivation): { sign: '=' | '≈'; value: string; exact: string | null } {
  const { layer, dtype } = derivation;
  const sum = total(derivation);
  if (layer === null) return { sign: '=', value: shortest(roundTo(dtype, sum), dtype), exact: null };
  const same = Object.is(roundTo(dtype, sum) + 0, toNumber(layer) + 0);
  return { sign: same ? '=' : '≈', value: shortest(layer, dtype), exact: same ? null : shortest(sum, 'float64') };
}

/** A sum as a line of code, cut where summands in its middle are left out: `y[0] = 1·2 + `, 248 hidden, ` + 3·4 = 14`. */
export interface Summary {
  head: string;
  hidden: number;
  tail: string;
  /** The sum in float64, where it does not round to the layer's value. */
  exact: string | null;
}

/** The sum with at most `shown` summands; a single one is never hidden. */
export function summary(derivation: Derivation, shown: number): Summary {
  const parts = summands(derivation);
  const { sign, value, exact } = result(derivation);
  const equals = parts.length === 1 && parts[0] === value ? '' : ` ${sign} ${value}`;
  const hidden = parts.length - shown;
  const start = `${derivation.name} = `;
  if (hidden <= 1) return { head: `${start}${parts.join(' + ') || '0'}${equals}`, hidden: 0, tail: '', exact };
  const [first, last] = [parts.slice(0, shown / 2), parts.slice(-shown / 2)];
  return { head: `${start}${first.join(' + ')} + `, hidden, tail: ` + ${last.join(' + ')}${equals}`, exact };
}

/** The same to be read aloud, with what is summed. */
export function sentence(derivation: Derivation, shown: number): string {
  const { head, hidden, tail } = summary(derivation, shown);
  return `${head}${hidden ? `${hidden} more` : ''}${tail}: ${derivation.caption}`;
}
