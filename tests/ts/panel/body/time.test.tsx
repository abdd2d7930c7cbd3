import { fireEvent, screen } from '@testing-library/react';
import { describe, expect, test } from 'vitest';
import { callOf } from '../../fixtures';
import { view } from '../../harness/fakeHost';
import { call, calls, page, run } from '../model/build';
import { EMPTY, frames, show, value } from './show';

describe('over time', () => {
  test('shows each kernel its own calls', async () => {
    const { host } = await show(value('page-exercise.json'));
    const other = page([call(1, { name: 'other' })]);
    host.answer = () => ({ type: 'page', page: other });
    host.page(other, 'k2');
    host.focus(view({ id: 'k2', name: 'other.ipynb' }));
    await frames();
    expect(screen.getByRole('article', { name: 'Call 1 of other' })).toBeTruthy();
    host.focus(view());
    await frames();
    expect(screen.getByRole('article', { name: 'Call 1 of fc' })).toBeTruthy();
  });

  test('is cleared by a restart', async () => {
    const { host } = await show(value('page-exercise.json'));
    host.answer = () => ({ type: 'page', page: page([], 0, { session: 's2' }) });
    host.focus(view({ restarting: true }));
    await frames();
    expect(screen.getByRole('status', { name: 'Watch: kernel restarting' })).toBeTruthy();
    host.focus(view());
    await frames();
    expect(screen.queryByRole('article')).toBeNull();
    expect(screen.getByRole('status', { name: 'Watch: kernel restarted' })).toBeTruthy();
  });

  test('keeps an open call, and what is chosen in it, while newer ones come', async () => {
    const { host, container } = await show(page(calls(1, 1)));
    fireEvent.click(screen.getByRole('button', { name: 'fc' }));
    const chosen = screen.getByRole('button', { name: /^fc_out\[0, 1\]/ });
    chosen.focus();
    fireEvent.click(chosen);
    const removed: Node[] = [];
    const observer = new MutationObserver((changes) => {
      for (const { removedNodes } of changes) removed.push(...removedNodes);
    });
    observer.observe(container, { childList: true, subtree: true });
    host.page(page([...calls(2, 9), call(10, { name: 'other' }), run(11, 5000)], 1));
    await frames();
    const card = screen.getByRole('article', { name: 'Call 1 of fc' });
    expect(card.textContent).toContain('fc_out[0, 1] = 10·21 + 20·22 + 32 = 682');
    expect(card.getAttribute('aria-posinset')).toBe('5009');
    expect(document.activeElement).toBe(chosen);
    // A browser takes the focus from what is moved.
    expect(removed.some((node) => node.contains(card))).toBe(false);
  });

  test('keeps what was opened, folded and dismissed while another notebook is looked at', async () => {
    const failed = { ...callOf('page-failed.json'), id: 2 };
    const { host } = await show(page([call(1), failed]));
    fireEvent.click(screen.getByRole('button', { name: 'fc' }));
    fireEvent.click(screen.getByRole('button', { name: 'Dismiss' }));
    host.page(page([call(1)]), 'k2');
    host.focus(view({ id: 'k2', name: 'other.ipynb' }));
    await frames();
    expect(screen.getByRole('button', { name: 'fc' }).getAttribute('aria-expanded')).toBe('false');
    host.focus(view());
    await frames();
    expect(screen.getByRole('button', { name: 'fc' }).getAttribute('aria-expanded')).toBe('true');
    expect(screen.queryByRole('article', { name: /^Failed/ })).toBeNull();
    expect(screen.getByRole('button', { name: 'Show the failed calls again' })).toBeTruthy();
  });

  test('leaves the host when it is taken out', async () => {
    const { host, unmount } = await show(EMPTY);
    expect(host.heard).toBe(1);
    unmount();
    expect(host.heard).toBe(0);
    expect(screen.queryByRole('region')).toBeNull();
  });
});
