import { afterEach, beforeEach } from 'vitest';

interface Heights {
  /** Of an element as it would be drawn. */
  element: number | ((element: HTMLElement) => number);
  /** Of what is in sight of it. */
  inSight: number;
}

/** Heights in a document that is never laid out. */
export function giveHeights({ element, inSight }: Heights): void {
  const stops: (() => void)[] = [];
  beforeEach(() => stops.push(stub('offsetHeight', element), stub('clientHeight', inSight)));
  afterEach(() => {
    for (const stop of stops.splice(0)) stop();
  });
}

function stub(name: string, pixels: Heights['element']): () => void {
  const before = Object.getOwnPropertyDescriptor(HTMLElement.prototype, name);
  Object.defineProperty(HTMLElement.prototype, name, {
    configurable: true,
    get(this: HTMLElement) {
      return typeof pixels === 'number' ? pixels : pixels(this);
    },
  });
  return () => {
    if (before) Object.defineProperty(HTMLElement.prototype, name, before);
    else Reflect.deleteProperty(HTMLElement.prototype, name);
  };
}
