import { describe, expect, test } from 'vitest';
import { emptyVerdicts } from '../../../../src/panel/model/callVerdict';
import { moduleTree } from '../../../../src/panel/model/moduleTree';
import { treeMove, treeRows, wayTo } from '../../../../src/panel/model/treeRows';

const ROOTS = moduleTree(
  ['m.a.x', 'm.a.y', 'm.b.x', 'm.b.y', 'm.c', 'n'].map((name, first) => {
    return { name, first, tally: { ...emptyVerdicts(), identical: 1 }, inputs: [], outputs: [] };
  }),
);

/** The rows with these nodes open, each as its path. */
const rows = (...open: string[]) => treeRows(ROOTS, (path) => open.includes(path));
const paths = (...open: string[]) => rows(...open).map(({ node }) => node.path);

describe('the rows', () => {
  test('are those whose parents are all open', () => {
    expect(paths()).toEqual(['m', 'n']);
    expect(paths('m.a')).toEqual(['m', 'n']);
    expect(paths('m', 'm.b')).toEqual(['m', 'm.a', 'm.b', 'm.b.x', 'm.b.y', 'm.c', 'n']);
  });

  test('know their level, their place and whether they are open', () => {
    const told = rows('m').map(({ level, position, siblings, open }) => [level, position, siblings, open]);
    expect(told).toEqual([
      [1, 1, 2, true],
      [2, 1, 3, false],
      [2, 2, 3, false],
      [2, 3, 3, null],
      [1, 2, 2, null],
    ]);
  });
});

describe('the way to a node', () => {
  test('begins with the root', () => {
    expect(wayTo(ROOTS, 'm.b.y').map(({ path }) => path)).toEqual(['m', 'm.b', 'm.b.y']);
    expect(wayTo(ROOTS, 'm.z')).toEqual([]);
  });
});

describe('a key', () => {
  const OPEN = ['m', 'm.b'];
  const shown = paths(...OPEN);
  /** Where it leads from a row, and what it folds. */
  const press = (key: string, from: string) => {
    const move = treeMove(rows(...OPEN), shown.indexOf(from), key);
    return move && [shown[move.to], ...move.folds.map(({ path, open }) => `${open ? '+' : '-'}${path}`)];
  };

  test.each<[string, string, string[]]>([
    ['ArrowDown', 'm.a', ['m.b']],
    ['ArrowDown', 'n', ['n']],
    ['ArrowUp', 'm.b', ['m.a']],
    ['ArrowUp', 'm', ['m']],
    ['Home', 'm.b.y', ['m']],
    ['End', 'm', ['n']],
    ['ArrowRight', 'm.a', ['m.a', '+m.a']],
    ['ArrowRight', 'm.b', ['m.b.x']],
    ['ArrowRight', 'm.c', ['m.c']],
    ['ArrowLeft', 'm.b', ['m.b', '-m.b']],
    ['ArrowLeft', 'm.b.y', ['m.b']],
    ['ArrowLeft', 'm.a', ['m']],
    ['ArrowLeft', 'n', ['n']],
    ['*', 'm.c', ['m.c', '+m.a']],
    ['*', 'n', ['n']],
    ['N', 'm', ['n']],
    ['a', 'm.b', ['m.a']],
    ['z', 'm.b', ['m.b']],
  ])('%s on %s', (key, from, expected) => {
    expect(press(key, from)).toEqual(expected);
  });

  test.each(['Enter', ' ', 'Tab', 'Escape'])('that is not the tree’s does nothing: %s', (key) => {
    expect(press(key, 'm')).toBeNull();
  });

  test('unfolds the roots together', () => {
    expect(treeMove(rows(), 1, '*')?.folds).toEqual([{ path: 'm', open: true }]);
  });
});
