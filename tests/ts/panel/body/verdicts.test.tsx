import { fireEvent, screen } from '@testing-library/react';
import { describe, expect, test } from 'vitest';
import { callOf } from '../../fixtures';
import { page } from '../model/build';
import { callCard, show, value } from './show';

const different = callOf('page-different.json');

describe('a diagnosis', () => {
  test('says what is wrong and what to write on lines of their own, code as code', async () => {
    const message = '`y` is `x @ w.T`. Write `x @ w.T + b`.';
    const diagnosis = { code: 'missing_bias', message };
    const { container } = await show(page([{ ...different, forward: { ...different.forward, diagnosis } }]));
    const lines = [...(container.querySelector('.jp-Torchtwin-diagnosis')?.children ?? [])];
    expect(lines.map((each) => each.textContent)).toEqual(['y is x @ w.T.', 'Write x @ w.T + b.']);
    expect([...(lines[1]?.querySelectorAll('code') ?? [])].map((each) => each.textContent)).toEqual(['x @ w.T + b']);
  });
});

describe('what was compared', () => {
  test('is told in the opened card, of output and gradients', async () => {
    await show(value('page-probe.json'));
    const card = callCard(/Call 1 of up/);
    expect(card.textContent).not.toContain('compared:');
    fireEvent.click(screen.getByRole('button', { name: 'up' }));
    expect(card.textContent?.match(/compared: /g)).toHaveLength(3);
    expect(card.textContent).toContain('of 0.003 or more with probability 15 in 16');
    const [weight, bias] = [/^up\s*\.weight\s*\.grad/, /^up\s*\.bias\s*\.grad/].map((name) =>
      screen.getByRole('row', { name }),
    );
    expect(weight?.textContent).toContain('identical where compared');
    expect(bias?.textContent).toContain('identical, 4,096 of 4,096');
  });

  test('is told of what differs, too', async () => {
    await show(value('page-probe.json'));
    fireEvent.click(screen.getByRole('button', { name: 'down' }));
    expect(callCard(/Call 2 of down/).textContent).toContain('compared: 8 of 4,096 rows');
  });
});
