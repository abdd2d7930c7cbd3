import { screen } from '@testing-library/react';
import { describe, expect, test } from 'vitest';
import { callOf } from '../../fixtures';
import { view } from '../../harness/fakeHost';
import { call, calls, page } from '../model/build';
import { EMPTY, frames, show } from './show';

const spoken = () => screen.getByRole('status', { name: 'Counts read aloud' });
const seen = () => screen.getByRole('group', { name: 'Counts' });

describe('the counts', () => {
  test('are read aloud when the cell has ended, and seen before', async () => {
    const { host } = await show(page([call(1)]));
    host.focus(view({ busy: true }));
    host.page(page(calls(2, 30), 1));
    await frames();
    expect(spoken().textContent).toBe('1 call, 1 agrees');
    expect(seen().textContent).toBe('30 calls30 agree');
    host.focus(view());
    await frames();
    expect(spoken().textContent).toBe('30 calls, 30 agree');
  });

  test('are read aloud at once for a difference', async () => {
    const { host } = await show(page([call(1)]), undefined, view({ busy: true }));
    host.page(page([{ ...callOf('page-different.json'), id: 2 }], 1));
    await frames();
    expect(spoken().textContent).toBe('So far 1 differs');
  });

  test('are seen outside of what is read aloud', async () => {
    await show(page([call(1)]));
    expect(seen().closest('[role=status], [aria-live]')).toBeNull();
  });
});

test('the words of an empty screen come into a region that was there before them', async () => {
  const { host, container } = await show(page([call(1)]));
  const region = container.querySelector('.jp-Torchtwin-content > div > div:last-child > [role=status]');
  expect(region?.textContent).toBe('');
  host.focus(view({ id: null, name: '', kernelName: '', status: { type: 'none' } }));
  await frames();
  expect(region?.textContent).toContain('No kernel');
  expect(region?.isConnected).toBe(true);
  host.answer = () => ({ type: 'page', page: EMPTY });
  host.focus(view({ id: 'k2', status: { type: 'connecting' } }));
  await frames();
  expect(region?.textContent).toContain('Connecting to the kernel…');
  expect(region?.isConnected).toBe(true);
});
