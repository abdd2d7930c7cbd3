import { screen, within } from '@testing-library/react';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { TensorRow, Tensors } from '../../../../src/protocol';
import { page } from '../model/build';
import { frames, show } from './show';

const row = (name: string, change: Partial<TensorRow> = {}): TensorRow => ({
  ...{ name, shape: [1, 2], dtype: 'float32', device: 'cpu', requires_grad: false, has_grad: false },
  ...{ shares: [], output_of: null, changed: false, new: false },
  ...change,
});
const table = (...rows: TensorRow[]): Tensors => ({ type: 'tensors', rows, left_out: 0 });
const factsOf = (name: RegExp) => within(screen.getByRole('row', { name })).getAllByRole('cell').at(-1);

describe('the table of tensors', () => {
  test('tells new names from changed ones', async () => {
    await show(page([table(row('x'), row('y', { changed: true, new: true }), row('w', { changed: true }))]));
    expect(screen.getByRole('button', { name: 'Tensors 3, 1 new, 1 changed' })).toBeTruthy();
    expect(factsOf(/^y /)?.textContent).toBe('new in the last cell · float32');
    expect(factsOf(/^w /)?.textContent).toBe('changed by the last cell · float32');
    expect(factsOf(/^x /)?.textContent).toBe('float32');
  });

  test('explains its words on hover', async () => {
    const change = { requires_grad: true, has_grad: true, shares: ['fc.weight', 'v'], output_of: 'fc(x)' };
    await show(page([table(row('w', change))]));
    const cell = factsOf(/^w /);
    expect(cell?.textContent).toBe('float32 · requires grad · has grad · storage of fc.weight, v · output of fc(x)');
    expect([...(cell?.children ?? [])].map((each) => each.getAttribute('title'))).toEqual([
      'backward() works out a gradient for it',
      'Its .grad holds a gradient from backward()',
      'Both names stand for the same memory: changing one in place changes the other',
      'A recorded call returned it',
    ]);
  });
});

describe('a table longer than its frame', () => {
  afterEach(() => vi.restoreAllMocks());

  /** A frame of 100 pixels with rows of 30. */
  function layOut(whole: number) {
    vi.spyOn(HTMLElement.prototype, 'clientHeight', 'get').mockReturnValue(100);
    vi.spyOn(HTMLElement.prototype, 'scrollHeight', 'get').mockReturnValue(whole);
    vi.spyOn(HTMLElement.prototype, 'offsetHeight', 'get').mockReturnValue(30);
    vi.spyOn(HTMLElement.prototype, 'offsetTop', 'get').mockImplementation(function (this: HTMLElement) {
      return 30 * [...document.querySelectorAll('tr')].indexOf(this as HTMLTableRowElement);
    });
  }

  test('is reached by keyboard; a short one is no stop on the way', async () => {
    layOut(100);
    const { host } = await show(page([table(row('a'))]));
    expect(screen.queryByRole('group', { name: 'List of tensors' })).toBeNull();
    layOut(130);
    host.page(page([table(row('a'), row('b'), row('c'))], 1));
    await frames();
    expect(screen.getByRole('group', { name: 'List of tensors' }).tabIndex).toBe(0);
  });

  test('brings what changed into sight after each cell', async () => {
    layOut(300);
    const { host } = await show(page([table(...'abcdefg'.split('').map((name) => row(name)))]));
    const frame = screen.getByRole('group', { name: 'List of tensors' });
    expect(frame.scrollTop).toBe(0);
    host.page(page([table(...'abcdefg'.split('').map((name) => row(name, { changed: name === 'f' })))], 1));
    await frames();
    expect(frame.scrollTop).toBe(110);
  });
});
