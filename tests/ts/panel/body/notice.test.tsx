import { fireEvent, screen } from '@testing-library/react';
import { describe, expect, test } from 'vitest';
import { RequestError } from '../../../../src/panel/host';
import type { DecodedEvent } from '../../../../src/protocol';
import { view } from '../../harness/fakeHost';
import { page } from '../model/build';
import { alerted, frames, show, value } from './show';

const BUSY = 'The kernel is busy.';
const busy = () => {
  throw new RequestError('busy', 'time-out');
};
const SESSION = { session: '5f0c2d7e-session' };
const exercise = value('page-exercise.json') as ReturnType<typeof page>;
const state = exercise.envelopes.map(({ event }) => event).find(({ type }) => type === 'state') as DecodedEvent;

async function press(name: string) {
  fireEvent.click(screen.getByRole('button', { name }));
  await frames();
}

/** The panel of a kernel that runs a cell and has not answered to a press of this button. */
async function refused(name: string) {
  const shown = await show(exercise, busy, view({ busy: true }));
  await press(name);
  expect(alerted()).toContain(BUSY);
  return shown;
}

describe('why something was not carried out', () => {
  test('is told no longer when the watch is off after all', async () => {
    const { host } = await refused('Off');
    host.page(page([{ ...state, watching: false } as DecodedEvent], exercise.upto, SESSION));
    await frames();
    expect(alerted()).toBe('');
    host.page(page([state], exercise.upto + 1, SESSION));
    await frames();
    expect(alerted()).toBe('');
  });

  test('is told no longer when the calls are gone after all', async () => {
    const { host } = await refused('Clear');
    host.page(page([{ type: 'cleared', up_to: 1 }], exercise.upto, SESSION));
    await frames();
    expect(alerted()).toBe('');
  });

  test('is told no longer when the cell has ended', async () => {
    const { host } = await refused('Off');
    host.focus(view({ busy: false }));
    await frames();
    expect(alerted()).toBe('');
  });

  test('is not told of another kernel, nor again on coming back', async () => {
    const { host } = await refused('Off');
    host.focus(view({ id: 'k2', name: 'other.ipynb', busy: true }));
    await frames();
    expect(alerted()).toBe('');
    host.focus(view({ busy: true }));
    await frames();
    expect(alerted()).toBe('');
  });

  test('is told no longer when the next press succeeds', async () => {
    const { host } = await refused('Off');
    host.answer = () => ({ type: 'done' });
    await press('Off');
    expect(alerted()).toBe('');
  });
});

describe('the switches', () => {
  test('of another kernel work while one has not answered', async () => {
    let answer = (_: unknown) => {};
    const { host } = await show(exercise, () => new Promise((resolve) => (answer = resolve)));
    await press('Off');
    expect(screen.getByRole('button', { name: 'Off' }).getAttribute('aria-disabled')).toBe('true');
    const replay = { type: 'page', page: exercise };
    host.answer = (request) => (request.type === 'replay' ? replay : { type: 'done' });
    host.focus(view({ id: 'k2' }));
    await frames();
    expect(screen.getByRole('button', { name: 'Off' }).getAttribute('aria-disabled')).toBe('false');
    answer({ type: 'refused', code: 'failed', message: 'no' });
    await frames();
    expect(alerted()).toBe('');
  });

  test('work again after a fault', async () => {
    const { host } = await show(exercise);
    host.request = () => Promise.reject(new Error('disposed'));
    await press('Off');
    expect(alerted()).toContain('disposed');
    expect(screen.getByRole('button', { name: 'Off' }).getAttribute('aria-disabled')).toBe('false');
  });
});
