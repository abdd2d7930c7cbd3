import type { Call, Clash } from '../../protocol';

/** As much of a call as is needed to write it down; that of one yet to be made, too. */
export type Written = Pick<Call, 'operands' | 'expression' | 'error'>;

type Role = 'input' | 'weight_t' | 'bias' | 'output';

/** One dimension of a shape, and what is to be said about it. */
export interface Dimension {
  size: number;
  mark: 'inner' | 'clash' | null;
}

/** An operand with its shape, and the operator before it. */
export interface Term {
  operator: string;
  name: string;
  /** Null of what is no tensor: a list or None was passed. */
  shape: Dimension[] | null;
}

const OPERATORS: Record<Role, string> = { input: '', weight_t: '@', bias: '+', output: '→' };
const ROLES: Role[] = ['input', 'weight_t', 'bias', 'output'];

/** `x @ w.T + b → fc_out` in parts. The dimensions that must match are marked, or those that clash. */
export function terms(call: Written): Term[] {
  return ROLES.flatMap((role) => {
    const operand = call.operands[role];
    if (!operand) return role === 'input' ? written(call) : [];
    return [{ operator: OPERATORS[role], name: operand.name, shape: dimensions(call, role, operand.shape) }];
  });
}

/** The input as it was written, where it is no tensor: what stands before the weight in the expression. */
function written({ expression, operands: { weight_t: weight } }: Written): Term[] {
  const end = weight ? expression.lastIndexOf(` @ ${weight.name}`) : -1;
  return end > 0 ? [{ operator: '', name: expression.slice(0, end), shape: null }] : [];
}

/** The call's expression where the drawn operands don't spell it: it has casts, or brackets. Else null. */
export function unspelled(call: Written): string | null {
  const factors = terms(call).filter(({ operator }) => operator !== OPERATORS.output);
  const spelled = factors.map(({ operator, name }) => `${operator} ${name}`.trim()).join(' ');
  return call.expression === spelled ? null : call.expression;
}

function dimensions(call: Written, role: Role, shape: number[]): Dimension[] {
  return shape.map((size, dim) => ({ size, mark: markOf(call, role, dim, shape.length) }));
}

function markOf(call: Written, role: Role, dim: number, rank: number): Dimension['mark'] {
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
  return role === 'weight_t' ? Math.max(0, rank - 2) : -1;
}
