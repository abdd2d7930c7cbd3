import { afterEach, beforeEach } from 'vitest';

/** Heights in a document that is never laid out: of every element as it would be drawn, and of what is in sight of it. */
export function giveHeights({ element, inSight }: { element: number; inSight: number }): void {
  const heights = { offsetHeight: element, clientHeight: inSight };
  beforeEach(() => {
    for (const [name, value] of Object.entries(heights))
      Object.defineProperty(HTMLElement.prototype, name, { configurable: true, get: () => value });
  });
  afterEach(() => {
    for (const name of Object.keys(heights)) Reflect.deleteProperty(HTMLElement.prototype, name);
  });
}
