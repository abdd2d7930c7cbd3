import { act, fireEvent, render, screen, within } from '@testing-library/react';
import { Panel } from '../../../../src/panel';
import type { KernelView } from '../../../../src/panel/host';
import type { Request } from '../../../../src/protocol';
import { fixture } from '../../fixtures';
import { FakeHost, view } from '../../harness/fakeHost';
import { page } from '../model/build';

export type Answer = (request: Request) => unknown;

/** The panel beside a kernel that replays this page and answers the rest as told. */
export async function show(replayed: unknown, answer: Answer = () => ({ type: 'done' }), kernel: KernelView = view()) {
  const host = new FakeHost(
    (request) => (request.type === 'replay' ? { type: 'page', page: replayed } : answer(request)),
    kernel,
  );
  const { unmount, container } = render(<Panel host={host} />);
  await frames();
  return { host, unmount, container };
}

export async function openExercise(answer?: Answer) {
  const shown = await show(value('page-exercise.json'), answer);
  fireEvent.click(within(callCard(/Call 1 of fc/)).getByRole('button', { name: 'fc' }));
  return shown;
}

/** Until everything that has come is drawn. */
export const frames = () => act(() => new Promise<void>((resolve) => setTimeout(resolve, 120)));
export const value = (name: string) => fixture(name).value;
export const callCard = (name: RegExp) => screen.getByRole('article', { name });
/** What the polite regions say, those without words left out. */
export const announced = () =>
  screen
    .queryAllByRole('status')
    .map((each) => each.textContent)
    .filter(Boolean);
export const alerted = () =>
  screen
    .queryAllByRole('alert')
    .map((each) => each.textContent)
    .join('');
export const EMPTY = page([]);
