import type { Call } from '../../protocol';
import { product } from './elements';
import type { Dimension } from './expression';

export type GradientRole = 'weight' | 'bias' | 'input';

/** What a gradient's formula takes, by its shape, and the operator before it. */
export interface Factor {
  operator: string;
  shape: Dimension[];
}

interface Shapes {
  /** Of `g`, the gradient of the output, in the output's shape. */
  g: number[];
  /** (*, K) */
  x: number[];
  /** (N, K), or (K,) */
  w: number[];
  b: number[];
}

/** `[3, 1] @ [1, 2]` for `g.T @ x`, with the dimensions that must match marked. Empty where an operand is unknown. */
export function gradientShapes({ operands }: Call, role: GradientRole): Factor[] {
  const { output, input, weight, bias } = operands;
  if (!output || !input || !weight) return [];
  const shapes = { g: output.shape, x: input.shape, w: weight.shape, b: bias?.shape ?? [] };
  return FACTORS[role](shapes);
}

const FACTORS: Record<GradientRole, (shapes: Shapes) => Factor[]> = {
  weight: weightFactors,
  bias: biasFactors,
  input: inputFactors,
};

/** `g.T @ x`, the leading dimensions flattened; `g.outer(x)` of a vector. Without the transpose for a (K,) weight. */
function weightFactors({ g, x, w }: Shapes): Factor[] {
  const inner = x.at(-1) ?? 1;
  const rows = product(x.slice(0, -1));
  if (x.length > 1) return matmul(w.length > 1 ? [w[0] ?? 1, rows] : [rows], [rows, inner]);
  return [plain('', g), plain(w.length > 1 ? 'outer' : '*', x)];
}

/** `g @ w`; of a (K,) weight `g[..., None] * w`. */
function inputFactors({ g, w }: Shapes): Factor[] {
  return w.length > 1 ? matmul(g, w) : [plain('', [...g, 1]), plain('*', w)];
}

/** `g` summed to the bias's shape. */
function biasFactors({ g, b }: Shapes): Factor[] {
  return String(g) === String(b) && g.length === b.length ? [plain('', g)] : [plain('', g), plain('→', b)];
}

function matmul(left: number[], right: number[]): Factor[] {
  return [marked('', left, left.length - 1), marked('@', right, 0)];
}

function plain(operator: string, sizes: number[]): Factor {
  return marked(operator, sizes, -1);
}

function marked(operator: string, sizes: number[], inner: number): Factor {
  return { operator, shape: sizes.map((size, dim) => ({ size, mark: dim === inner ? 'inner' : null })) };
}
