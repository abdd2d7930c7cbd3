import { fireEvent, screen, waitFor } from '@testing-library/react';
import { describe, expect, test } from 'vitest';
import { RequestError } from '../../../../src/panel/host';
import type { State } from '../../../../src/protocol';
import { fixture, pageOf } from '../../fixtures';
import { view } from '../../harness/fakeHost';
import { page } from '../model/build';
import { alerted, EMPTY, frames, show } from './show';

const [{ event: fresh } = { event: null }] = pageOf('page-exercise.json').envelopes;
const state = (change: Partial<State>) => ({ ...(fresh as State), ...change });
const select = () => screen.getByRole<HTMLSelectElement>('combobox', { name: 'Calls that are checked' });
const choose = (mode: string) => fireEvent.change(select(), { target: { value: mode } });

describe('the switch of the mode', () => {
  test('shows how the kernel checks, and explains each choice', async () => {
    await show(page([state({ mode: 'every' })]));
    expect(select().value).toBe('every');
    expect([...select().options].map(({ text }) => text)).toEqual(['Shapes', 'Auto', 'Every']);
    expect(select().title.split('\n')).toHaveLength(3);
  });

  test('asks for another mode, with the budget left as it is, and shows it until the kernel has said so', async () => {
    const { host } = await show(page([state({})]));
    choose('shapes');
    expect(select().value).toBe('shapes');
    await frames();
    expect(host.requests.at(-1)).toEqual({ type: 'mode', mode: 'shapes', budget: null });
    host.page(page([state({ mode: 'shapes' })], 1));
    await frames();
    expect(select().value).toBe('shapes');
    host.page(page([state({ mode: 'auto' })], 2));
    await frames();
    expect(select().value).toBe('auto');
  });

  test('goes back to what holds where the kernel refuses', async () => {
    await show(page([state({})]), () => {
      throw new RequestError('busy', 'time-out');
    });
    choose('every');
    await waitFor(() => expect(alerted()).toContain('The kernel is busy.'));
    expect(select().value).toBe('auto');
  });

  test('goes back, and says so anew, where the kernel refuses again with the same words', async () => {
    await show(page([state({})]), () => {
      throw new RequestError('disconnected', 'The kernel is not connected.');
    });
    const refused = async (mode: string) => {
      choose(mode);
      await frames();
      expect(select().value).toBe('auto');
      return screen.getByText('The kernel is not connected.');
    };
    const first = await refused('every');
    const again = await refused('every');
    expect(again).not.toBe(first);
    expect(await refused('shapes')).not.toBe(again);
  });

  test('is kept over a restart, until the user’s code chooses another mode', async () => {
    const { host } = await show(page([state({})]));
    choose('every');
    await frames();
    expect(host.preferred).toEqual([]);
    host.page(page([state({ mode: 'every' })], 1));
    expect(host.preferred).toEqual([['k1', 'every']]);
    host.page(page([state({ mode: 'every' })], 0, { session: 's2' }));
    expect(host.preferred).toEqual([['k1', 'every']]);
    host.page(page([state({ mode: 'shapes' })], 1, { session: 's2' }));
    expect(host.preferred.slice(1)).toEqual([['k1', null]]);
  });

  test('waits for the kernel in focus, and for no other', async () => {
    const { host } = await show(page([state({})]));
    choose('every');
    expect(select().value).toBe('every');
    host.answer = (request) =>
      request.type === 'replay' ? { type: 'page', page: page([state({})], 0, { session: 's2' }) } : { type: 'done' };
    host.focus(view({ id: 'k2' }));
    await frames();
    expect(select().value).toBe('auto');
  });

  test('is idle where the switch of the watch is', async () => {
    const { host } = await show(page([state({})]));
    host.focus(view({ restarting: true }));
    await frames();
    for (const control of [select(), screen.getByRole('button', { name: 'Off' })])
      expect(control.getAttribute('aria-disabled')).toBe('true');
    expect(fireEvent.mouseDown(select())).toBe(false);
    expect(fireEvent.keyDown(select(), { key: 'ArrowDown' })).toBe(false);
    expect(fireEvent.keyDown(select(), { key: 'Tab' })).toBe(true);
    choose('every');
    await frames();
    expect(select().value).toBe('auto');
    expect(host.requests.map(({ type }) => type)).not.toContain('mode');
  });

  test('is not there before anything is known of the watch', async () => {
    await show(EMPTY);
    expect(screen.queryByRole('combobox')).toBeNull();
  });
});

describe('the cost', () => {
  const shown = (change: Partial<State>) => show(page([state(change)]));

  test('stands beside the counts, with both times on hover', async () => {
    await shown({ cost: { spent: 0.42, running: 20 } });
    const cost = screen.getByText('costs 2.1 %, budget 3 %');
    expect(cost.className).toContain('jp-Torchtwin-quiet');
    expect(cost.title).toContain('0.42 s beside 20 s');
  });

  test('above the budget warns', async () => {
    await shown({ cost: { spent: 1, running: 20 } });
    expect(screen.getByText('costs 5 %, budget 3 %').className).toContain('jp-Torchtwin-warn');
  });
});

describe('what ran unseen', () => {
  test('is noted by the counts and unfolds to where and what', async () => {
    const { container } = await show(fixture('page-unseen.json').value);
    const note = screen.getByText('4 calls ran unseen, others may');
    expect(note.tagName).toBe('SUMMARY');
    const rows = [...container.querySelectorAll('.jp-Torchtwin-note li')].map((each) => each.textContent);
    expect(rows).toHaveLength(4);
    expect(rows[1]).toMatch(/^encoder\.layers\[0\] 4 calls4 calls ran in torch's fused fast path/);
    expect(rows[2]).toMatch(/^compiled_model not countedLayers of compiled_model run compiled/);
  });

  test('is not noted where there is none', async () => {
    const { container } = await show(page([state({ unseen: [] })]));
    expect(container.querySelector('.jp-Torchtwin-note')).toBeNull();
  });
});
