import { fireEvent, screen, within } from '@testing-library/react';
import { describe, expect, test } from 'vitest';
import type { Tensors } from '../../../../src/protocol';
import { callOf } from '../../fixtures';
import { call, page } from '../model/build';
import { show, value } from './show';

const lines = () =>
  within(screen.getByRole('list', { name: 'Your variables' }))
    .getAllByRole('listitem')
    .map((each) => each.textContent?.replaceAll('\u00a0', ' '));

describe('variables that match a call', () => {
  test('stand in its closed card, near misses first with why, two at most', async () => {
    await show(value('page-matches.json'));
    expect(lines()).toEqual([
      '✕ no_bias is nearly this output: no_bias is x @ fc.weight.T. Write x @ fc.weight.T + fc.bias.',
      '✕ twice is nearly this output: twice is x @ fc.weight.T + fc.bias + fc.bias. Write x @ fc.weight.T + fc.bias.',
    ]);
    expect(screen.getByText('and 6 more')).toBeTruthy();
  });

  test('stand all in the opened card, each with its verdict', async () => {
    await show(value('page-matches.json'));
    fireEvent.click(screen.getByRole('button', { name: 'fc' }));
    expect(lines()).toHaveLength(8);
    expect(lines()).toContain('✓ fc_out_alternative is this outputidentical, 12 of 12 elements, bit for bit');
    expect(lines()[5]).toMatch(/^≈ hand is this output, up to roundingrounding only: 4 of 12 elements differ/);
    expect(screen.queryByText(/^and . more$/)).toBeNull();
  });

  test('leave no trace where there are none', async () => {
    await show(page([call(1)]));
    expect(screen.queryByRole('list', { name: 'Your variables' })).toBeNull();
  });

  test('do not make the call differ', async () => {
    await show(value('page-matches.json'));
    expect(screen.getByRole('group', { name: 'Counts' }).textContent).toBe('1 call1 agrees');
  });

  test.each([
    [
      3,
      '3 variables were not compared with the calls, so that the cell ends in time. Ask for one by its name: %twin name',
    ],
    [
      1,
      '1 variable was not compared with the calls, so that the cell ends in time. Ask for one by its name: %twin name',
    ],
  ])('may be more than there was time for: %i', async (unmatched, sentence) => {
    const tensors: Tensors = { type: 'tensors', rows: [ROW], left_out: 0, unmatched };
    await show(page([tensors, callOf('page-matches.json')]));
    expect(screen.getByText(sentence)).toBeTruthy();
  });
});

const ROW = {
  ...{ name: 'x', shape: [1], dtype: 'float32', device: 'cpu', requires_grad: false, has_grad: false },
  ...{ shares: [], output_of: null, changed: false },
};
