import { describe, expect, test } from 'vitest';
import { Browsing } from '../../../../src/panel/model/browsing';
import { Records } from '../../../../src/panel/model/records';
import { calls, decodedPage } from './build';

const browse = () => new Browsing(() => {});

describe('the tree', () => {
  test('is open at first down to the parts of a model', () => {
    const browsing = browse();
    expect([1, 2, 3].map((level) => browsing.isOpen('m', level))).toEqual([true, true, false]);
  });

  test('stays as it was folded', () => {
    const browsing = browse();
    browsing.fold('m', false);
    browsing.fold('m.a.b', true);
    expect([browsing.isOpen('m', 1), browsing.isOpen('m.a.b', 3)]).toEqual([false, true]);
  });

  test('shows all that is found, until it is folded, and is as before when nothing is looked for', () => {
    const browsing = browse();
    browsing.fold('m', false);
    browsing.search('linear1');
    expect([browsing.isOpen('m', 1), browsing.isOpen('m.a.b', 3)]).toEqual([true, true]);
    browsing.fold('m.a.b', false);
    expect(browsing.isOpen('m.a.b', 3)).toBe(false);
    browsing.toggle('differs');
    expect(browsing.isOpen('m.a.b', 3)).toBe(true);
    browsing.showAll();
    expect([browsing.isOpen('m', 1), browsing.isOpen('m.a', 2)]).toEqual([false, true]);
  });

  test('opens the way to a layer and chooses it, but does not unfold the layer', () => {
    const browsing = browse();
    browsing.fold('m', false);
    browsing.goTo(7, ['m', 'm.a', 'm.a.b', 'm.a.b.c']);
    expect([browsing.isOpen('m', 1), browsing.isOpen('m.a.b', 3)]).toEqual([true, true]);
    expect([browsing.isOpen('m.a.b.c', 4), browsing.chosen, browsing.active]).toEqual([false, 'm.a.b.c', 'm.a.b.c']);
  });
});

describe('a call that is shown alone', () => {
  const shown = (then: (browsing: Browsing) => void) => {
    const browsing = browse();
    browsing.goTo(7, ['m']);
    then(browsing);
    return browsing.shown;
  };

  test('stays while the tree is folded, and when it is left for the list', () => {
    expect(shown((browsing) => browsing.fold('m', false))).toBe(7);
    expect(shown((browsing) => browsing.show('list'))).toBe(7);
  });

  test('gives way to all calls, to those of a layer, and to what is looked for', () => {
    expect(shown((browsing) => browsing.goBack())).toBeNull();
    expect(shown((browsing) => browsing.choose('n'))).toBeNull();
    expect(shown((browsing) => browsing.search('n'))).toBeNull();
    expect(shown((browsing) => browsing.toggle('failed'))).toBeNull();
  });
});

test('every change is told', () => {
  let told = 0;
  const browsing = new Browsing(() => {
    told += 1;
  });
  browsing.show('model');
  browsing.search('fc');
  browsing.toggle('failed');
  browsing.showAll();
  browsing.fold('m', true);
  browsing.activate('m');
  browsing.choose('m');
  browsing.goTo(7, ['m']);
  browsing.goBack();
  expect(told).toBe(9);
});

test('how the calls are looked at stays with the session, and tells those that draw it', () => {
  const records = new Records();
  records.apply(decodedPage(calls(1, 2)));
  let told = 0;
  records.reading.subscribe(() => {
    told += 1;
  });
  records.reading.browsing.show('model');
  records.apply(decodedPage(calls(3, 3), 2));
  expect([records.reading.browsing.look, told]).toEqual(['model', 1]);
  records.apply(decodedPage(calls(1, 1), 0, { session: 's2' }));
  expect(records.reading.browsing.look).toBe('list');
});
