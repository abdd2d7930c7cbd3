import { expect, test } from 'vitest';
import { announce, SILENCE } from '../../../../src/panel/model/announcement';
import type { Counts } from '../../../../src/panel/model/counts';

const NONE: Counts = { calls: 0, failed: 0, differs: 0, agrees: 0, unchecked: 0, dropped: 0, internalErrors: null };

/** What is read aloud while these counts come in turn, each with whether a cell runs. */
function said(...given: [Partial<Counts>, 'runs' | 'rests'][]): string[] {
  let now = SILENCE;
  const texts = given.map(([change, cell]) => {
    now = announce(now, { ...NONE, ...change }, cell === 'runs');
    return now.text;
  });
  return texts.filter((text, at) => text !== (texts[at - 1] ?? ''));
}

test('a loop is told once, when it is over', () => {
  const texts = said(
    [{ calls: 10, agrees: 10 }, 'runs'],
    [{ calls: 20, agrees: 20 }, 'runs'],
    [{ calls: 30, agrees: 30 }, 'runs'],
    [{ calls: 30, agrees: 30 }, 'rests'],
  );
  expect(texts).toEqual(['30 calls, 30 agree']);
});

test('the first failure or difference of a loop is told at once, the others with the rest', () => {
  const texts = said(
    [{ calls: 10, agrees: 10 }, 'runs'],
    [{ calls: 20, agrees: 19, differs: 1 }, 'runs'],
    [{ calls: 30, agrees: 28, differs: 1, failed: 1 }, 'runs'],
    [{ calls: 31, agrees: 28, differs: 2, failed: 1 }, 'rests'],
  );
  expect(texts).toEqual(['So far 1 differs', '31 calls, 1 failed, 2 differ, 28 agree']);
});

test('what was told of an earlier cell is no alarm in the next', () => {
  const before = { calls: 1, differs: 1 };
  expect(said([before, 'rests'], [before, 'runs'], [{ calls: 2, differs: 1, agrees: 1 }, 'runs'])).toEqual([
    '1 call, 1 differs',
  ]);
});
