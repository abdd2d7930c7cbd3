import { describe, expect, test } from 'vitest';
import { Reading } from '../../../../src/panel/model/reading';
import { Records } from '../../../../src/panel/model/records';
import { calls, decodedPage } from './build';

describe('what a person has opened and put away', () => {
  test('is told to whoever draws it', () => {
    const reading = new Reading();
    const versions: number[] = [];
    const stop = reading.subscribe(() => versions.push(reading.version()));
    reading.toggle(3);
    reading.fold('Calls', true);
    stop();
    reading.dismiss(7);
    expect([reading.isOpen(3), reading.isFolded('Calls'), reading.dismissed]).toEqual([true, true, 7]);
    expect(versions).toEqual([1, 2]);
  });

  test('is which calls are open, and no others', () => {
    const reading = new Reading();
    reading.open(7);
    reading.open(7);
    reading.toggle(3);
    reading.toggle(5);
    reading.toggle(3);
    expect([reading.openCalls, reading.isOpen(7), reading.isOpen(3)]).toEqual([[7, 5], true, false]);
  });

  test('is which groups are unfolded and which folded, apart from those of which nothing was said', () => {
    const reading = new Reading();
    reading.unfold('a', true);
    reading.unfold('b', false);
    expect(['a', 'b', 'c'].map((key) => reading.isUnfolded(key))).toEqual([true, false, undefined]);
  });

  test('begins anew with a session', () => {
    const records = new Records();
    records.apply(decodedPage(calls(1, 2)));
    records.reading.toggle(1);
    records.apply(decodedPage(calls(3, 3), 2));
    expect(records.reading.isOpen(1)).toBe(true);
    records.apply(decodedPage(calls(1, 1), 0, { session: 's2' }));
    expect(records.reading.isOpen(1)).toBe(false);
  });
});
