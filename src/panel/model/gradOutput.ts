import type { Call, ElementValue } from '../../protocol';

/** The elements of `g`, the gradient of the output, all leading dimensions in one; null where they did not travel. */
export function gradOutput(call: Call): { rows: ElementValue[][]; dtype: string } | null {
  const [values, output] = [call.values.grad_output, call.operands.output];
  if (!values?.length || !output) return null;
  const columns = output.shape.at(-1) ?? 1;
  const rows = Array.from({ length: values.length / columns }, (_, at) =>
    values.slice(at * columns, (at + 1) * columns),
  );
  return { rows, dtype: output.dtype };
}
