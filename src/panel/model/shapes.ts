import { shapeText } from './names';

const VARIES = 'varies';

/** The one shape; with `*` for the sizes in which several differ; `varies` where even their ranks do. Null for none. */
export function shapesText(shapes: readonly (readonly number[])[]): string | null {
  const [first, ...others] = shapes;
  if (!first) return null;
  if (others.length === 0) return shapeText(first);
  if (others.some(({ length }) => length !== first.length)) return VARIES;
  const sizes = first.map((size, dim) => (others.every((other) => other[dim] === size) ? size : '*'));
  return sizes.every((size) => size === '*') ? VARIES : `[${sizes.join(', ')}]`;
}
