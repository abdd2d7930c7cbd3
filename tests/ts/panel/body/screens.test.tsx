import { fireEvent, render, screen, waitFor } from '@testing-library/react';
import { describe, expect, test } from 'vitest';
import { Panel } from '../../../../src/panel';
import { type KernelView, RequestError } from '../../../../src/panel/host';
import type { DecodedEvent } from '../../../../src/protocol';
import { FakeHost, view } from '../../harness/fakeHost';
import { page } from '../model/build';
import { announced, callCard, EMPTY, frames, show, value } from './show';

describe('every other screen', () => {
  const status = (given: KernelView['status']) => view({ status: given });

  test.each<[string, KernelView]>([
    ['No kernel', view({ id: null, name: '', status: { type: 'none' } })],
    ['Not a Python kernel', status({ type: 'other-language', language: 'R' })],
    ['Connecting to the kernel…', status({ type: 'connecting' })],
    ['Loading Torchtwin into the kernel…', status({ type: 'loading' })],
    ['Torchtwin isn’t installed in this kernel', status({ type: 'missing', install: '%pip install torchtwin' })],
    ['Torchtwin isn’t loaded', status({ type: 'not-loaded' })],
    ['Torchtwin can’t show this kernel', status({ type: 'failed', message: 'no' })],
    ['Run a cell that calls nn.Linear', view()],
  ])('%s', async (title, kernel) => {
    await show(EMPTY, undefined, kernel);
    expect(screen.getAllByRole('heading').map((each) => each.textContent)).toEqual([title]);
  });

  test('copies the line that installs the package', async () => {
    const { host } = await show(EMPTY, undefined, status({ type: 'missing', install: '%pip install torchtwin' }));
    fireEvent.click(screen.getByRole('button', { name: 'Copy' }));
    expect(host.copied).toEqual(['%pip install torchtwin']);
  });

  test('loads the extension on a click', async () => {
    const { host } = await show(EMPTY, undefined, status({ type: 'not-loaded' }));
    expect(screen.getByText('%load_ext torchtwin')).toBeTruthy();
    fireEvent.click(screen.getByRole('button', { name: 'Load' }));
    await waitFor(() => expect(host.loaded).toEqual(['k1']));
  });

  test('says how to load the helper elsewhere', async () => {
    const { container } = await show(EMPTY);
    expect(container.textContent).toContain('%load_ext torchtwin');
  });

  test('tries to load again what could not be loaded', async () => {
    const { host } = await show(EMPTY, undefined, status({ type: 'failed', message: 'no' }));
    fireEvent.click(screen.getByRole('button', { name: 'Try again' }));
    await waitFor(() => expect(host.loaded).toEqual(['k1']));
  });

  test('reads the records again when they could not be read', async () => {
    const { host, container } = await show({ ...EMPTY, latest: 'far' });
    expect(container.textContent).toContain('/page/latest: must be integer');
    host.answer = () => ({ type: 'page', page: value('page-exercise.json') });
    fireEvent.click(screen.getByRole('button', { name: 'Try again' }));
    await frames();
    expect(callCard(/Call 1 of fc/)).toBeTruthy();
  });

  test('asks to reload the page for another protocol', async () => {
    await show(value('newer/other-protocol.json'));
    expect(announced().join()).toContain('Reload the page');
  });

  test('says that a busy kernel is waited for', async () => {
    const busy = () => {
      throw new RequestError('busy', 'time-out');
    };
    render(<Panel host={new FakeHost(busy, view({ busy: true }))} />);
    await frames();
    expect(screen.getByRole('heading', { name: 'The kernel is busy' })).toBeTruthy();
    expect(screen.getByRole('status', { name: 'Watch: kernel busy' })).toBeTruthy();
  });

  test.each([
    ['page-off.json', 'off', 'The watch is off'],
    ['page-no-torch.json', 'no torch yet', 'Run a cell that calls nn.Linear'],
  ])('%s', async (name, word, title) => {
    await show(value(name));
    expect(screen.getByRole('status', { name: `Watch: ${word}` })).toBeTruthy();
    expect(screen.getByRole('heading', { name: title })).toBeTruthy();
  });

  test('says beside the tensors, too, that the watch is off', async () => {
    const exercise = value('page-exercise.json') as ReturnType<typeof page>;
    const tensors = exercise.envelopes.map(({ event }) => event).filter(({ type }) => type === 'tensors');
    const [off] = (value('page-off.json') as ReturnType<typeof page>).envelopes.map(({ event }) => event);
    const { container } = await show(page([off as DecodedEvent, ...tensors]));
    expect(container.textContent).toContain('The watch is off: switch it on to record the calls of nn.Linear.');
    expect(container.textContent).not.toContain('Run a cell');
  });

  test('is the same after a comparison, whose answer stands in the notebook', async () => {
    const { container } = await show(value('page-comparison.json'));
    expect(screen.getAllByRole('heading').map((each) => each.textContent)).toEqual(['Run a cell that calls nn.Linear']);
    expect(container.textContent).not.toContain('Unknown');
  });

  test('names an unknown event instead of guessing', async () => {
    const { container } = await show(value('newer/unknown-event.json'));
    expect(container.textContent).toContain('Unknown to this version of the panel: histogram.');
  });
});
