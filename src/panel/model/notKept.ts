import { product } from './elements';
import { count } from './numbers';
import { type Compared, TRAVELS } from './tensorOf';

/** The kernel keeps no gradient, so there is nothing to ask it for: why this one's elements are not here. */
export function elementsNotKept({ shape }: Compared): string {
  const size = product(shape);
  if (size > TRAVELS) {
    return `Its ${count(size)} elements aren’t here: gradients of more than ${TRAVELS} don’t travel with the call, and none is kept.`;
  }
  return 'Its elements aren’t here: the cell’s earlier calls used up what may travel, and gradients are not kept.';
}

/** The same of what an element of a gradient was summed from. */
export const FACTORS_NOT_KEPT =
  `How it came about can’t be told: what it was summed from did not travel with the call (tensors of up to ${TRAVELS} ` +
  'elements do), and gradients are not kept.';
