import { fireEvent, screen } from '@testing-library/react';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { callOf } from '../../fixtures';
import { call, page } from '../model/build';
import { alerted, callCard, frames, show } from './show';

const DIFFERS = { forward: callOf('page-different.json').forward };
const press = (name: string) => fireEvent.click(screen.getByRole('button', { name }));

// React tells it to the console, too.
beforeEach(() => void vi.spyOn(console, 'error').mockImplementation(() => {}));
afterEach(() => void vi.restoreAllMocks());

test('a fault in drawing is told with what to report, and the panel is there again on request', async () => {
  await show(page([call(1), call(2, { ...DIFFERS, name: 'other' })]));
  const scroll = vi.spyOn(Element.prototype, 'scrollIntoView').mockImplementation(() => {
    throw new TypeError('no such place');
  });
  press('Next difference');
  await frames();
  expect(alerted()).toContain('TypeError: no such place');
  expect(screen.getByText('linear_by_hand.ipynb')).toBeTruthy();
  scroll.mockRestore();
  press('Draw it again');
  expect(alerted()).toBe('');
  expect(callCard(/Call 2 of other/)).toBeTruthy();
});

test('a fault is not told of another kernel’s calls', async () => {
  const { host } = await show(page([call(1), call(2, { ...DIFFERS, name: 'other' })]));
  const scroll = vi.spyOn(Element.prototype, 'scrollIntoView').mockImplementation(() => {
    throw new TypeError('no such place');
  });
  press('Next difference');
  await frames();
  scroll.mockRestore();
  host.page(page([call(1)], 0, { session: 's2' }));
  await frames();
  expect(alerted()).toBe('');
  expect(callCard(/Call 1 of fc/)).toBeTruthy();
});
