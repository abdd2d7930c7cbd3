import type { Call, Clash, Operand } from '../../protocol';

type Role = Clash['operand'] | 'output';

/** One dimension of a shape, and what is to be said about it. */
export interface Dimension {
  size: number;
  mark: 'inner' | 'clash' | null;
}

/** A column of the expression: an operator, or an operand with its shape. */
export type Term = { type: 'operator'; text: string } | { type: 'operand'; name: string; shape: Dimension[] };

/** `x @ w.T + b → fc_out` as columns. The dimensions that must match are marked, or those that clash. */
export function terms(call: Call): Term[] {
  const { input, weight_t, bias, output } = call.operands;
  return [
    ...operand(call, 'input', input),
    ...(input && weight_t ? [operator('@')] : []),
    ...operand(call, 'weight_t', weight_t),
    ...(bias ? [operator('+')] : []),
    ...operand(call, 'bias', bias),
    ...(output ? [operator('→')] : []),
    ...operand(call, 'output', output),
  ];
}

function operator(text: string): Term {
  return { type: 'operator', text };
}

function operand(call: Call, role: Role, tensor: Operand | null): Term[] {
  if (!tensor) return [];
  return [{ type: 'operand', name: tensor.name, shape: dimensions(call, role, tensor.shape) }];
}

function dimensions(call: Call, role: Role, shape: number[]): Dimension[] {
  return shape.map((size, dim) => ({ size, mark: markOf(call, role, dim, shape.length) }));
}

function markOf(call: Call, role: Role, dim: number, rank: number): Dimension['mark'] {
  if (call.error) return clashes(call.error.clash, role, dim) ? 'clash' : null;
  return dim === innerDimension(role, rank) ? 'inner' : null;
}

/** The kernel may name the clash in the weight or in its transpose; what is drawn is the transpose. */
function clashes(clash: Clash[], role: Role, dim: number): boolean {
  return clash.some((each) => {
    if (each.operand === 'weight') return role === 'weight_t' && each.dim === 1 - dim;
    return each.operand === role && each.dim === dim;
  });
}

function innerDimension(role: Role, rank: number): number {
  if (role === 'input') return rank - 1;
  return role === 'weight_t' ? 0 : -1;
}
