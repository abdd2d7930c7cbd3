import { fireEvent, screen, within } from '@testing-library/react';
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

describe('gradients', () => {
  const exercise = callOf('page-exercise.json');
  const weight = exercise.gradients.weight && {
    ...exercise.gradients.weight,
    note: '`fc.weight.grad` holds 2 backward passes',
  };
  const twice = { ...exercise, gradients: { ...exercise.gradients, weight } };

  test('of which .grad holds several passes say so in the closed card', async () => {
    await show(page([twice]));
    expect(screen.getByTitle('fc.weight.grad holds 2 backward passes').textContent).toBe('.grad holds 2 passes');
  });

  test('are said to add up where an element is explained', async () => {
    await show(page([twice]));
    fireEvent.click(screen.getByRole('button', { name: 'fc' }));
    fireEvent.click(screen.getByRole('button', { name: 'weight grad' }));
    fireEvent.click(screen.getByRole('button', { name: /^weight gradient\[2, 1\]: 20/ }));
    const said = 'This is one call’s share. fc.weight.grad adds up over backward passes: it holds 2 passes.';
    expect(callCard(/Call 1 of fc/).textContent).toContain(said);
    fireEvent.click(screen.getByRole('button', { name: 'bias grad' }));
    fireEvent.click(screen.getByRole('button', { name: /^bias gradient\[0, 1\]/ }));
    expect(callCard(/Call 1 of fc/).textContent).not.toContain('one call’s share');
  });

  test.each([
    ['of a backward that came to others', { weight: exercise.gradients.weight, bias: null }, '– no gradient', 2],
    ['of none', {}, '– no backward yet', 3],
  ])('that are missing are told: %s', async (_, gradients, said, times) => {
    await show(page([{ ...exercise, gradients }]));
    fireEvent.click(screen.getByRole('button', { name: 'fc' }));
    const table = callCard(/Call 1 of fc/).querySelector<HTMLElement>('.jp-Torchtwin-gradients');
    expect(within(table as HTMLElement).getAllByText(said)).toHaveLength(times);
  });

  test('have g beside their formulas', async () => {
    await show(value('page-exercise.json'));
    fireEvent.click(screen.getByRole('button', { name: 'fc' }));
    const cells = within(screen.getByRole('table', { name: 'Elements of g' })).getAllByRole('cell');
    expect(cells.map((each) => each.textContent)).toEqual(['1', '1', '1']);
  });
});

test('a list that was passed is drawn as it was written', async () => {
  const failed = callOf('page-failed.json');
  const operands = { ...failed.operands, input: null };
  const { container } = await show(page([{ ...failed, operands, expression: '[1., 2.] @ fc2.weight.T + fc2.bias' }]));
  const expression = container.querySelector('.jp-Torchtwin-expression');
  expect(expression?.textContent).toMatch(/^\[1., 2.\]@fc2\.weight\.T\[/);
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
