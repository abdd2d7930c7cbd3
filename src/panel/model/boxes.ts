import type { Call } from '../../protocol';

/** A tensor drawn as a rectangle: width and height in pixels, the sizes they stand for, and what is stacked behind. */
export interface Box {
  role: 'input' | 'weight_t' | 'bias' | 'output';
  name: string;
  width: number;
  height: number;
  /** Null for a vector, which is drawn as one row. */
  rows: number | null;
  columns: number;
  /** The sizes of the leading dimensions, empty for a matrix. */
  batch: number[];
}

const LARGEST = 60;
const SMALLEST = 14;
const UNIT = 20;

/** The boxes of `input @ weight.T + bias = output`, in proportion as far as that can be seen. */
export function boxes(call: Pick<Call, 'operands'>): Box[] {
  const { input, weight_t, bias, output } = call.operands;
  const tensors = [input, weight_t, bias, output].filter((tensor) => tensor !== null);
  const length = scale(tensors.flatMap(({ shape }) => shape.slice(-2)));
  const box = (role: Box['role']): Box[] => {
    const tensor = call.operands[role];
    if (!tensor) return [];
    const columns = tensor.shape.at(-1) ?? 1;
    const rows = tensor.shape.at(-2) ?? null;
    const batch = tensor.shape.slice(0, -2);
    return [{ role, name: tensor.name, width: length(columns), height: length(rows ?? 1), rows, columns, batch }];
  };
  return [...box('input'), ...box('weight_t'), ...box('bias'), ...box('output')];
}

/** Pixels for a size: linear while the smallest stays visible, else logarithmic, always between two bounds. */
export function scale(sizes: number[]): (size: number) => number {
  const largest = Math.max(1, ...sizes);
  const linear = Math.min(UNIT, LARGEST / largest);
  if (linear >= SMALLEST) return (size) => Math.max(SMALLEST / 2, Math.round(size * linear));
  const perOctave = (LARGEST - SMALLEST) / Math.log2(largest);
  return (size) => Math.round(SMALLEST + Math.log2(Math.max(1, size)) * perOctave);
}

/** The drawing in a sentence: `x, 1 by 2, times w.T, 2 by 3, plus b, 1 by 3, gives fc_out, 1 by 3`. */
export function drawingSentence(call: Pick<Call, 'operands'>): string {
  const [input, weight, bias, output] = (['input', 'weight_t', 'bias', 'output'] as const).map((role) =>
    spoken(call, role),
  );
  return `${input}, times ${weight}${bias ? `, plus ${bias}` : ''}${output ? `, gives ${output}` : ''}`;
}

function spoken({ operands }: Pick<Call, 'operands'>, role: Box['role']): string {
  const tensor = operands[role];
  return tensor ? `${tensor.name}, ${tensor.shape.join(' by ') || 'a single number'}` : '';
}
