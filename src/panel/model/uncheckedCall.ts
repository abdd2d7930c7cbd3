import type { Call, Verdict } from '../../protocol';

/** A call that was told in short: what it does not share with the call that it is like. */
export interface Short {
  id: number;
  /** Of its input. */
  shape: number[];
  time: number;
  /** Why it was not checked. */
  reason: string;
}

/** The whole call that was told in short. Of its gradients nothing is known, not even whether a backward reached it. */
export function uncheckedCall(like: Call, { id, shape, time, reason }: Short): Call {
  const { input, output } = like.operands;
  const operands = {
    ...like.operands,
    input: input && { ...input, shape },
    output: output && { ...output, shape: outputShape(shape, like) },
  };
  const verdict = unchecked(reason);
  const gradients = { weight: verdict, bias: operands.bias && verdict, input: verdict };
  return { ...like, id, time, operands, forward: verdict, gradients, values: {}, error: null, matches: [] };
}

/** The shape that a layer gives of an input of this shape, by what it gave of another. */
export function outputShape(shape: readonly number[], { operands: { input, output } }: Call): number[] {
  const features = output && input ? output.shape.slice(Math.max(0, input.shape.length - 1)) : [];
  return [...shape.slice(0, -1), ...features];
}

function unchecked(reason: string): Verdict {
  return { kind: 'unchecked', message: `not checked: ${reason}`, reason };
}
