import { cleanup } from '@testing-library/react';
import { afterEach } from 'vitest';

afterEach(cleanup);

// jsdom lays nothing out, and the panel draws only what is in sight: some rows of 86 pixels in a frame of 2000.
if (typeof HTMLElement !== 'undefined') {
  const size = (name: string, pixels: number) =>
    Object.defineProperty(HTMLElement.prototype, name, { configurable: true, get: () => pixels });
  size('clientHeight', 2000);
  size('clientWidth', 400);
  size('offsetHeight', 86);
  // As newer browsers do, which answer a promise.
  const scrolled = async () => {};
  Object.assign(Element.prototype, { scrollTo: scrolled, scrollIntoView: scrolled });
}
