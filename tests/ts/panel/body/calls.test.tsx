import { fireEvent, screen, within } from '@testing-library/react';
import { describe, expect, test } from 'vitest';
import type { Call, State, VerdictKind } from '../../../../src/protocol';
import { callOf, pageOf } from '../../fixtures';
import { call, page } from '../model/build';
import { giveHeights } from './heights';
import { announced, frames, show } from './show';

giveHeights({ element: 24, inSight: 2000 });

const [{ event: fresh } = { event: null }] = pageOf('page-exercise.json').envelopes;

function named(id: number, name: string, kind: VerdictKind = 'identical'): Call {
  const expression = `x @ ${name}.weight.T + ${name}.bias`;
  return call(id, { name, expression, forward: { kind, message: kind }, gradients: {} });
}

const CALLS = [
  named(1, 'm.layers[0].fc1'),
  named(2, 'm.layers[0].fc2', 'different'),
  named(3, 'm.layers[1].fc1', 'rounding'),
  named(4, 'm.layers[1].fc2'),
  named(5, 'm.head', 'different'),
  named(6, 'm.head', 'different'),
];

async function showCalls(calls = CALLS) {
  const shown = await show(page([{ ...(fresh as State), calls: calls.length }, ...calls]));
  return { ...shown, more: async (more: Call[]) => sendMore(shown.host, calls.length + 1, more) };
}

async function sendMore(host: Awaited<ReturnType<typeof show>>['host'], after: number, more: Call[]) {
  host.page(page(more, after));
  await frames();
}

const button = (name: string | RegExp) => screen.getByRole('button', { name });
const press = (name: string | RegExp) => fireEvent.click(button(name));
const field = () => screen.getByRole<HTMLInputElement>('searchbox');
const search = (text: string) => fireEvent.change(field(), { target: { value: text } });
const items = () => screen.queryAllByRole('treeitem').map((item) => item.title);
const item = (path: string) => screen.getByTitle(path);
/** What the cards are of. */
const cards = () => screen.queryAllByRole('article').map((card) => card.getAttribute('aria-label'));
const chips = () => within(screen.getByRole('group', { name: 'Verdicts' })).getAllByRole('button');

describe('the look at the calls', () => {
  test('is a list at first, and the tree of the modules on request; it stays while calls come', async () => {
    const { more } = await showCalls();
    expect([button('List').ariaPressed, button('Model').ariaPressed]).toEqual(['true', 'false']);
    expect(items()).toEqual([]);
    press('Model');
    expect(items()).toEqual(['m', 'm.layers', 'm.layers[0]', 'm.layers[1]', 'm.head']);
    expect(screen.getByRole('button', { name: 'Calls by module' })).toBeTruthy();
    await more([named(7, 'm.tail')]);
    expect(items()).toContain('m.tail');
  });

  test('is offered where there are calls', async () => {
    const exercise = pageOf('page-exercise.json').envelopes.map(({ event }) => event);
    await show(page(exercise.filter(({ type }) => type !== 'call')));
    expect(screen.queryByRole('button', { name: 'Model' })).toBeNull();
  });
});

describe('a layer in the tree', () => {
  test('shows its calls below when it is clicked, and puts them away', async () => {
    await showCalls();
    press('Model');
    expect(announced()).toContain('Choose a layer to see its calls.');
    expect(cards()).toEqual([]);
    fireEvent.click(item('m.head'));
    expect(announced()).toContain('m.head 2 calls');
    expect(cards().every((label) => label?.endsWith('m.head'))).toBe(true);
    expect(cards()).not.toEqual([]);
    press('Close');
    expect(cards()).toEqual([]);
  });

  test('whose name begins like another’s shows its own calls alone', async () => {
    await showCalls([named(1, 'm.fc'), named(2, 'm.fc2')]);
    press('Model');
    fireEvent.click(item('m.fc'));
    expect(cards()).toEqual(['Call 1 of m.fc']);
  });
});

describe('the next difference', () => {
  test('opens the way to each in the order of the tree, with its card, and begins again after the last', async () => {
    await showCalls();
    press('Model');
    press('Next difference');
    expect(items()).toContain('m.layers[0].fc2');
    expect(item('m.layers[0].fc2').getAttribute('aria-selected')).toBe('true');
    expect(cards()).toEqual(['Call 2 of m.layers[0].fc2']);
    expect(announced()).toContain('m.layers[0].fc2 Difference 1 of 2');
    press('Next');
    expect(cards()).toEqual(['Call 5 of m.head']);
    expect(announced()).toContain('m.head Difference 2 of 2, the oldest of 2 here');
    press('Next difference');
    expect(cards()).toEqual(['Call 2 of m.layers[0].fc2']);
  });

  test('is left for the calls of the layer', async () => {
    await showCalls();
    press('Model');
    press('Next difference');
    press('Next');
    press('Calls of this layer');
    expect(announced()).toContain('m.head 2 calls');
  });

  test('is a click away from the mark of a module', async () => {
    await showCalls();
    press('Model');
    fireEvent.click(item('m.layers').querySelector('.jp-Torchtwin-worst') as Element);
    expect(cards()).toEqual(['Call 2 of m.layers[0].fc2']);
  });

  test('may be a call that raised, which is explained', async () => {
    const failed = { ...callOf('page-failed.json'), id: 7, name: 'm.layers[0].fc1' };
    const { more } = await showCalls([named(1, 'm.layers[0].fc1'), named(2, 'm.layers[0].fc2')]);
    await more([failed]);
    press('Dismiss');
    press('Model');
    fireEvent.click(item('m.layers[0]').querySelector('.jp-Torchtwin-worst') as Element);
    expect(cards()).toEqual(['Failed call of m.layers[0].fc1']);
  });

  test('stands alone in place of the list, too', async () => {
    await showCalls();
    press('Next difference');
    expect(cards()).toEqual(['Call 5 of m.head']);
    press('All calls');
    expect(cards().length).toBeGreaterThan(3);
  });

  test('is not offered where all is well', async () => {
    await showCalls([named(1, 'a'), named(2, 'b', 'rounding')]);
    expect(screen.queryByRole('button', { name: 'Next difference' })).toBeNull();
  });
});

describe('a search', () => {
  test('leaves what has the text, in the list and in the tree, where it is unfolded', async () => {
    await showCalls();
    search('FC1');
    expect(cards()).toEqual(['Call 3 of m.layers[1].fc1', 'Call 1 of m.layers[0].fc1']);
    press('Model');
    expect(items()).toEqual(['m.layers', 'm.layers[0].fc1', 'm.layers[1].fc1']);
  });

  test('tells how many calls it has found, and does not repeat it while others come', async () => {
    const { more } = await showCalls();
    const found = () => announced().filter((text) => text?.endsWith('found'));
    expect(found()).toEqual([]);
    search('fc');
    expect(found()).toEqual(['4 calls found']);
    await more([named(7, 'm.fc')]);
    expect(found()).toEqual(['4 calls found']);
    press('1 rounding');
    expect(found()).toEqual(['1 call found']);
    search('fc9');
    expect(found()).toEqual([]);
  });

  test('is cleared by Escape, which then is left to the page', async () => {
    await showCalls();
    search('fc1');
    expect(fireEvent.keyDown(field(), { key: 'Escape' })).toBe(false);
    expect([field().value, cards().length > 3]).toEqual(['', true]);
    expect(fireEvent.keyDown(field(), { key: 'Escape' })).toBe(true);
  });

  test.each(['List', 'Model'])('that finds nothing says so and offers all calls again: %s', async (look) => {
    await showCalls();
    press(look);
    search('fc9');
    expect(announced()).toContain('No calls with “fc9” in name, expression or place.');
    expect([cards(), items()]).toEqual([[], []]);
    press('Show all calls');
    expect(field().value).toBe('');
    expect(cards().length + items().length).toBeGreaterThan(3);
  });
});

describe('a choice of verdicts', () => {
  test('is offered with the number of calls of each, by a sign and a word', async () => {
    await showCalls();
    expect(chips().map((chip) => chip.textContent)).toEqual([
      '✕ 3 differ',
      '≈ 1 rounding',
      '✓ 2 identical',
      'Next difference',
    ]);
  });

  test('may be of several at once', async () => {
    await showCalls();
    press('1 rounding');
    expect(cards()).toEqual(['Call 3 of m.layers[1].fc1']);
    press('2 identical');
    expect(cards()).toHaveLength(3);
    press('1 rounding');
    press('2 identical');
    expect(cards().length).toBeGreaterThan(3);
  });

  test('brings calls that raised into the list, which else stand above it', async () => {
    const { more } = await showCalls();
    await more([{ ...callOf('page-failed.json'), id: 7, name: 'm.tail' }]);
    const isListed = () => cards().includes('Call 7 of m.tail');
    expect(isListed()).toBe(false);
    press('1 failed');
    expect(isListed()).toBe(true);
  });

  test('holds for the tree', async () => {
    await showCalls();
    press('Model');
    press('1 rounding');
    expect(items()).toEqual(['m.layers[1].fc1']);
  });

  test('is not offered where all calls came to the same', async () => {
    await showCalls([named(1, 'a'), named(2, 'b')]);
    expect(screen.queryByRole('group', { name: 'Verdicts' })).toBeNull();
  });
});
