import { afterEach, beforeEach } from 'vitest';

/** Heights in a document that is never laid out: of every element as it would be drawn, and of what is in sight of it. */
export function giveHeights({ element, inSight }: { element: number; inSight: number }): void {
  const stops: (() => void)[] = [];
  beforeEach(() => stops.push(stub('offsetHeight', element), stub('clientHeight', inSight)));
  afterEach(() => {
    for (const stop of stops.splice(0)) stop();
  });
}

function stub(name: string, pixels: number): () => void {
  const before = Object.getOwnPropertyDescriptor(HTMLElement.prototype, name);
  Object.defineProperty(HTMLElement.prototype, name, { configurable: true, get: () => pixels });
  return () => {
    if (before) Object.defineProperty(HTMLElement.prototype, name, before);
    else Reflect.deleteProperty(HTMLElement.prototype, name);
  };
}
