import { expect, test } from 'vitest';
import { IdList } from '../../../../src/panel/model/idList';

function listOf(...ids: number[]): IdList {
  const list = new IdList();
  for (const id of ids) list.add(id);
  return list;
}

test('ids are in order however they came', () => {
  const list = listOf(5, 9, 2, 7, 1, 8);
  expect([...list.ascending()]).toEqual([1, 2, 5, 7, 8, 9]);
  expect([list.newest(0), list.newest(5), list.newest(6), list.newest(-1)]).toEqual([9, 1, undefined, undefined]);
});

test('an id has its place, newest first, or none', () => {
  const list = listOf(2, 4, 6);
  expect([6, 4, 2, 3, 7, 0].map((id) => list.indexOf(id))).toEqual([0, 1, 2, -1, -1, -1]);
});

test('ids go from both ends and from the middle, and one that is not there takes none with it', () => {
  const list = listOf(1, 2, 3, 4, 5);
  for (const id of [1, 5, 3, 9, 3]) list.remove(id);
  expect([...list.ascending(), list.size]).toEqual([2, 4, 2]);
});

test('a list through which ids pass does not grow', () => {
  const list = listOf();
  for (let id = 1; id <= 10_000; id++) {
    list.add(id);
    if (id > 8) list.remove(id - 8);
  }
  expect([...list.ascending()]).toEqual([9993, 9994, 9995, 9996, 9997, 9998, 9999, 10_000]);
  expect(list.ascending().buffer.byteLength).toBeLessThan(200);
});
