import { fireEvent, render, screen } from '@testing-library/react';
import type { ComponentProps } from 'react';
import { describe, expect, test } from 'vitest';
import { ReadingProvider, useReading } from '../../../../src/panel/body/context';
import { ModelTree } from '../../../../src/panel/body/ModelTree';
import { emptyVerdicts, type VerdictTally } from '../../../../src/panel/model/callVerdict';
import { type ModuleNode, moduleTree } from '../../../../src/panel/model/moduleTree';
import { Reading } from '../../../../src/panel/model/reading';
import { giveHeights } from './heights';

giveHeights({ element: 24, inSight: 240 });

function layers(names: string[], tallies: Record<string, Partial<VerdictTally>> = {}): ModuleNode[] {
  return moduleTree(
    names.map((name, first) => {
      const tally = { ...emptyVerdicts(), ...(tallies[name] ?? { identical: 1 }) };
      return { name, first, tally, inputs: [[8, 4]], outputs: [[8, 3]] };
    }),
  );
}

const ENCODER = [0, 1].flatMap((at) => ['a', 'b'].map((name) => `m.layers[${at}].${name}`)).concat('m.head');

function show(roots: ModuleNode[]) {
  const worst: string[] = [];
  const reading = new Reading();
  render(
    <ReadingProvider value={reading}>
      <Drawn roots={roots} findWorst={({ path }) => worst.push(path)} />
    </ReadingProvider>,
  );
  return { browsing: reading.browsing, worst };
}

function Drawn(props: Pick<ComponentProps<typeof ModelTree>, 'roots' | 'findWorst'>) {
  return <ModelTree {...props} browsing={useReading().browsing} />;
}

const items = () => screen.getAllByRole('treeitem').map((item) => item.title);
const item = (path: string) => screen.getByTitle(path);
const tree = () => screen.getByRole('tree', { name: 'Modules' });
const press = (key: string) => fireEvent.keyDown(tree(), { key });
const active = () => document.getElementById(tree().getAttribute('aria-activedescendant') ?? '')?.title;

describe('the tree of a model', () => {
  test('is a tree for assistive technology, with level, place and state of each item', () => {
    show(layers(ENCODER));
    expect(items()).toEqual(['m', 'm.layers', 'm.layers[0]', 'm.layers[1]', 'm.head']);
    const told = screen
      .getAllByRole('treeitem')
      .map((each) => ['level', 'posinset', 'setsize', 'expanded'].map((name) => each.getAttribute(`aria-${name}`)));
    expect(told.slice(0, 3)).toEqual([
      ['1', '1', '1', 'true'],
      ['2', '1', '2', 'true'],
      ['3', '1', '2', 'false'],
    ]);
    expect(told.at(-1)).toEqual(['2', '2', '2', null]);
  });

  test('tells shapes, calls and verdicts of a layer, and calls and verdicts of a module', () => {
    show(layers(ENCODER, { 'm.head': { identical: 3, differs: 1 } }));
    expect(item('m.head').getAttribute('aria-label')).toBe('head, [8, 4] to [8, 3], 4 calls, 1 differs, 3 identical');
    expect(item('m.head').textContent).toContain('[8, 4] → [8, 3]');
    expect(item('m.head').textContent).toContain('✕ 1 differs');
    expect(item('m').getAttribute('aria-label')).toBe('m, 8 calls, 1 differs, 7 identical');
    expect(item('m.layers').textContent).toContain('✓');
  });

  test('tells where only some calls were checked, so that no sign stands for the others', () => {
    show(layers(['m.a', 'm.b', 'm.c'], { 'm.a': { identical: 2, unchecked: 1998 }, 'm.c': { unchecked: 7 } }));
    expect(item('m.a').textContent).toContain('2 of 2,000 checked ✓');
    expect(item('m.a').getAttribute('aria-label')).toBe('a, [8, 4] to [8, 3], 2 of 2,000 checked, 2 identical');
    expect(item('m').textContent).toContain('3 of 2,008 checked ✓');
    expect(item('m').getAttribute('aria-label')).toBe('m, 3 of 2,008 checked, 3 identical');
    expect(item('m.b').textContent).not.toContain('checked');
    expect(item('m.c').textContent).toContain('× 7 –');
    expect(item('m.c').getAttribute('aria-label')).toBe('c, [8, 4] to [8, 3], 7 calls, 7 unchecked');
  });

  test('is walked and unfolded by the keys, with one tab stop', () => {
    show(layers(ENCODER));
    expect(tree().tabIndex).toBe(0);
    expect(active()).toBe('m');
    for (const key of ['ArrowDown', 'ArrowDown', 'ArrowRight']) press(key);
    expect(items()).toContain('m.layers[0].a');
    expect(active()).toBe('m.layers[0]');
    press('ArrowRight');
    expect(active()).toBe('m.layers[0].a');
    press('ArrowLeft');
    press('ArrowLeft');
    expect(items()).not.toContain('m.layers[0].a');
    press('End');
    expect(active()).toBe('m.head');
    press('m');
    expect(active()).toBe('m');
  });

  test('leaves other keys to the page', () => {
    show(layers(ENCODER));
    expect(press('ArrowDown')).toBe(false);
    expect(press('Tab')).toBe(true);
    expect(fireEvent.keyDown(tree(), { key: 'ArrowDown', ctrlKey: true })).toBe(true);
  });

  test.each(['Enter', ' ', 'click'])('chooses a layer and puts it away again: %s', (how) => {
    const { browsing } = show(layers(ENCODER));
    press('End');
    const choose = () => (how === 'click' ? fireEvent.click(item('m.head')) : press(how));
    choose();
    expect([browsing.chosen, item('m.head').getAttribute('aria-selected')]).toEqual(['m.head', 'true']);
    choose();
    expect([browsing.chosen, item('m.head').getAttribute('aria-selected')]).toEqual([null, 'false']);
  });

  test('folds a module that is not called itself where it is clicked', () => {
    const { browsing } = show(layers(ENCODER));
    fireEvent.click(item('m.layers'));
    expect([items(), browsing.chosen]).toEqual([['m', 'm.layers', 'm.head'], null]);
  });

  test('leads from a mark to what is wrong, and from no other', () => {
    const { worst, browsing } = show(layers(ENCODER, { 'm.layers[1].a': { failed: 1, differs: 2 } }));
    const mark = (path: string) => item(path).querySelector('.jp-Torchtwin-worst');
    expect(mark('m.layers[1]')?.textContent).toBe('✕ 1 failed');
    fireEvent.click(mark('m.layers[1]') as Element);
    expect([worst, browsing.isOpen('m.layers[1]', 3)]).toEqual([['m.layers[1]'], false]);
    fireEvent.click(mark('m.head') as Element);
    expect([worst, browsing.chosen]).toEqual([['m.layers[1]'], 'm.head']);
  });

  test('draws of a thousand layers only those in sight, and the active one', () => {
    const { browsing } = show(layers(Array.from({ length: 1000 }, (_, at) => `net[${at}]`)));
    expect(items().length).toBeGreaterThan(9);
    expect(items().length).toBeLessThan(40);
    expect(screen.getAllByRole('treeitem')[1]?.getAttribute('aria-setsize')).toBe('1000');
    press('End');
    expect([active(), browsing.active]).toEqual(['net[999]', 'net[999]']);
    expect(items().length).toBeLessThan(40);
  });
});
