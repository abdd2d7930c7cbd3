import { fireEvent, screen } from '@testing-library/react';
import { describe, expect, test, vi } from 'vitest';
import { callOf } from '../../fixtures';
import { view } from '../../harness/fakeHost';
import { call, calls, page } from '../model/build';
import { EMPTY, frames, show, value } from './show';

// Hundreds of cards take their time beside other work. How long is not what is tested.
vi.setConfig({ testTimeout: 30_000 });

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

  test('keeps 20,000 calls and draws a hundred, then older ones on request', async () => {
    const { host, container } = await show(EMPTY);
    for (let at = 0; at < 20_000; at += 2000) host.page(page(calls(at + 1, at + 2000), at));
    await frames();
    const articles = () => [...container.querySelectorAll('article')];
    expect(container.textContent).toContain('20,000 calls');
    expect(articles()).toHaveLength(100);
    expect(articles()[0]?.getAttribute('aria-label')).toBe('Call 20000 of fc');
    fireEvent.click(screen.getByText('Show 100 older calls'));
    expect(articles()).toHaveLength(200);
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
    host.page(page(calls(2, 150), 1));
    await frames();
    const card = container.querySelector('article[aria-label="Call 1 of fc"]') as Element;
    expect(card.textContent).toContain('fc_out[0, 1] = 10·21 + 20·22 + 32 = 682');
    expect(document.activeElement).toBe(chosen);
    // A browser takes the focus from what is moved.
    expect(removed.includes(card)).toBe(false);
    expect(container.querySelectorAll('article')).toHaveLength(101);
    const older = screen.getByText('Show 49 older calls');
    expect(older.compareDocumentPosition(card)).toBe(Node.DOCUMENT_POSITION_FOLLOWING);
    fireEvent.click(older);
    expect([...container.querySelectorAll('article')].at(-1)).toBe(card);
    expect(container.querySelectorAll('article')).toHaveLength(150);
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
