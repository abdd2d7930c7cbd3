import { fireEvent, screen, within } from '@testing-library/react';
import { describe, expect, test } from 'vitest';
import { callOf } from '../../fixtures';
import { call, calls, page, run } from '../model/build';
import { callCard, frames, show } from './show';

const DIFFERS = { forward: callOf('page-different.json').forward };

const labels = () => screen.getAllByRole('article').map((each) => each.getAttribute('aria-label'));
const unfold = (name: RegExp) => fireEvent.click(within(callCard(name)).getByRole('button', { name: /^fc × / }));
const verdictsOf = (name: RegExp) =>
  within(within(callCard(name)).getByRole('list', { name: 'Verdicts' }))
    .getAllByRole('listitem')
    .map((each) => each.textContent);

describe('the calls of a loop', () => {
  test('are one row that tells how many there are, and what came of those that were checked', async () => {
    await show(page([call(1), run(2, 998), call(1000)]));
    expect(labels()).toEqual(['1,000 calls of fc']);
    expect(verdictsOf(/1,000 calls/)).toEqual(['2 of 1,000 checked', '✓ all identical']);
    expect(callCard(/1,000 calls/).textContent).toContain('cell [2], line 9');
  });

  test('are told the worst first, and with what came of the newest', async () => {
    await show(page([call(1), call(2, DIFFERS), run(3, 97), call(100)]));
    expect(verdictsOf(/100 calls/)).toEqual(['3 of 100 checked', '✕ 1 differs', '✓ 2 identical', 'newest ✓ identical']);
  });

  test('unfold, newest first, each in a line that opens into all of it', async () => {
    await show(page([call(1), run(2, 3), call(5, DIFFERS)]));
    expect(screen.queryByRole('article', { name: /^Call/ })).toBeNull();
    unfold(/5 calls/);
    expect(labels()).toEqual(['5 calls of fc', ...[5, 4, 3, 2, 1].map((id) => `Call ${id} of fc`)]);
    expect(callCard(/Call 5/).textContent).toBe('call 5✕ differs[1, 2]');
    expect(callCard(/Call 4/).textContent).toBe('call 4– unchecked[4, 2]');
    fireEvent.click(within(callCard(/Call 4/)).getByRole('button'));
    expect(
      within(callCard(/Call 4/))
        .getByRole('img')
        .getAttribute('aria-label'),
    ).toMatch(/^x, 4 by 2, times w.T/);
    expect(callCard(/Call 4/).textContent).toContain('over the budget');
    unfold(/5 calls/);
    expect(labels()).toEqual(['5 calls of fc']);
  });

  test('are counted for those who do not see them, and stand under the heading of their row', async () => {
    await show(page([call(1), run(2, 3)]));
    unfold(/4 calls/);
    expect(screen.getByRole('feed', { name: 'Calls' })).toBeTruthy();
    const place = (each: Element) => `${each.getAttribute('aria-posinset')}/${each.getAttribute('aria-setsize')}`;
    expect(screen.getAllByRole('article').map(place)).toEqual(['1/1', '1/4', '2/4', '3/4', '4/4']);
    expect(screen.getAllByRole('heading', { level: 4 })).toHaveLength(4);
  });

  test('become a row while one of them is read, which stays open', async () => {
    const { host } = await show(page(calls(1, 1)));
    fireEvent.click(screen.getByRole('button', { name: 'fc' }));
    host.page(page([run(2, 3)], 1));
    await frames();
    expect(labels()).toEqual(['4 calls of fc', ...[4, 3, 2, 1].map((id) => `Call ${id} of fc`)]);
    expect(within(callCard(/Call 1 of/)).getByRole('img')).toBeTruthy();
    unfold(/4 calls/);
    expect(labels()).toEqual(['4 calls of fc']);
  });

  test('are drawn as far as they are in sight', async () => {
    const runs = Array.from({ length: 50 }, (_, at) => run(2 + 2000 * at, 2000));
    const { container } = await show(page([call(1), ...runs]));
    unfold(/calls of fc/);
    expect(container.querySelectorAll('article').length).toBeLessThan(100);
    const height = screen.getByRole('feed').style.height;
    expect(Number.parseInt(height, 10)).toBeGreaterThan(2_000_000);
  });
});

test('calls that raised are told above, and in the row of a loop that has others', async () => {
  const failed = callOf('page-failed.json');
  await show(page([call(1), call(2, { error: failed.error }), { ...failed, id: 3 }]));
  expect(labels()).toEqual([`Failed call of ${failed.name}`, '2 calls of fc']);
  expect(verdictsOf(/2 calls/)).toEqual(['✕ 1 failed', '✓ 1 identical']);
  fireEvent.click(screen.getByRole('button', { name: 'Go to call 2, which failed' }));
  expect(callCard(/Call 2 of fc/).textContent).toContain('h has 128 features, fc2 takes 64.');
});
