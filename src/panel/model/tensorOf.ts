import type { Call, ElementRequest, ElementValue } from '../../protocol';

/** The tensors whose elements can be looked into: the output, and the gradients of weight, bias and input. */
export type Target = ElementRequest['of'];

/** A tensor that was computed twice: by the layer and by the formula. */
export interface Compared {
  target: Target;
  /** `fc_out`, `weight gradient`. */
  label: string;
  shape: number[];
  /** What the layer computed in: under autocast another than the operand's. */
  dtype: string;
  /** Row-major; null where they did not travel. */
  layer: ElementValue[] | null;
  /** The same of the formula; null too where nothing was compared. */
  twin: ElementValue[] | null;
}

/** Of larger tensors no element travels. */
export const TRAVELS = 256;

/**
 * What can be looked into: the output, whose elements the kernel tells while the operands live, checked or not; and
 * every gradient that backward has given. Gradients are not kept, so of an unchecked one there is nothing but what came.
 */
export function comparedTensors(call: Call): Compared[] {
  const targets: Target[] = ['output', 'weight', 'bias', 'input'];
  return targets.flatMap((target) => compared(call, target) ?? []);
}

function compared(call: Call, target: Target): Compared | null {
  const operand = call.operands[target];
  const verdict = target === 'output' ? call.forward : call.gradients[target];
  if (!operand || !verdict || call.error || !operand.shape.every((size) => size > 0)) return null;
  const { layer, twin } = valuesOf(call, target);
  if (target !== 'output' && verdict.kind === 'unchecked' && !layer) return null;
  const label = target === 'output' ? operand.name : `${target} gradient`;
  const dtype = call.operands.output?.dtype ?? operand.dtype;
  // The formula's values do not travel where they are the layer's.
  const same = verdict.kind === 'identical';
  return { target, label, shape: operand.shape, dtype, layer, twin: twin ?? (same ? layer : null) };
}

function valuesOf({ values }: Call, target: Target) {
  const found = {
    output: [values.output, values.twin_output],
    weight: [values.grad_weight, values.twin_grad_weight],
    bias: [values.grad_bias, values.twin_grad_bias],
    input: [values.grad_input, values.twin_grad_input],
  }[target];
  return { layer: found[0] ?? null, twin: found[1] ?? null };
}

/** The full index of an element from its place in row-major order. */
export function unravel(flat: number, shape: readonly number[]): number[] {
  const index: number[] = [];
  let rest = flat;
  for (const size of [...shape].reverse()) {
    index.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return index;
}

/** Place in row-major order; null where the index lies outside. */
export function ravel(index: readonly number[], shape: readonly number[]): number | null {
  if (index.length !== shape.length) return null;
  let flat = 0;
  for (const [dim, at] of index.entries()) {
    const size = shape[dim] ?? 0;
    if (!Number.isInteger(at) || at < 0 || at >= size) return null;
    flat = flat * size + at;
  }
  return flat;
}

/** Reads `0, 3, 7` or `[0, 3, 7]`; null where it is no index of the shape. */
export function parseIndex(text: string, shape: readonly number[]): number[] | null {
  const words = text
    .replace(/[[\]\s]/g, '')
    .split(',')
    .filter(Boolean);
  const index = words.map(Number);
  return ravel(index, shape) === null ? null : index;
}
