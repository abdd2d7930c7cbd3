import { act, fireEvent, screen } from '@testing-library/react';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { call, page } from '../model/build';
import { giveHeights } from './heights';
import { frames, show } from './show';

/** As high as a call by itself is taken to be before one was seen, and a higher one. */
const [USUAL, HIGH] = [86, 120];

giveHeights({ element: ({ textContent }) => (textContent?.includes('high') ? HIGH : USUAL), inSight: 2000 });

const CALLS = ['high', 'last', 'first'].map((name, at) => call(at + 1, { name }));
const list = () => screen.getByRole('feed', { name: 'Calls' });
const rows = () => [...list().querySelectorAll<HTMLElement>('[data-key]')];
const tops = () => rows().map(({ style }) => Number(/translateY\((\d+)px\)/.exec(style.transform)?.[1]));
const search = (text: string) => fireEvent.change(screen.getByRole('searchbox'), { target: { value: text } });

describe('the rows of the list', () => {
  test('keep their heights when others are found, whatever the last one of their kind was like', async () => {
    await show(page(CALLS));
    expect([tops(), list().style.height]).toEqual([[0, USUAL, 2 * USUAL], `${2 * USUAL + HIGH}px`]);
    search('st');
    await frames();
    expect([tops(), list().style.height]).toEqual([[0, USUAL], `${2 * USUAL}px`]);
    search('');
    await frames();
    expect([tops(), list().style.height]).toEqual([[0, USUAL, 2 * USUAL], `${2 * USUAL + HIGH}px`]);
  });
});

describe('while the panel is put away', () => {
  let tell: ResizeObserverCallback[] = [];

  beforeEach(() => {
    tell = [];
    vi.stubGlobal(
      'ResizeObserver',
      class {
        constructor(callback: ResizeObserverCallback) {
          tell.push(callback);
        }
        observe() {}
        unobserve() {}
        disconnect() {}
      },
    );
  });

  afterEach(() => void vi.unstubAllGlobals());

  test('the rows keep their heights', async () => {
    await show(page(CALLS));
    const nothing = [{ inlineSize: 0, blockSize: 0 }];
    const entries = rows().map((target) => ({ target, borderBoxSize: nothing }) as unknown as ResizeObserverEntry);
    await act(async () => {
      for (const callback of tell) callback(entries, {} as ResizeObserver);
    });
    expect([tops(), list().style.height]).toEqual([[0, USUAL, 2 * USUAL], `${2 * USUAL + HIGH}px`]);
  });
});
