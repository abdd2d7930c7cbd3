import { expect, test } from 'vitest';
import { Columns } from '../../../../src/panel/model/columns';

function idsOf(columns: Columns): number[] {
  const ids: number[] = [];
  columns.eachNewestFirst((id) => ids.push(id) > 0);
  return ids;
}

test('calls stand newest first, in whatever order they come, with gaps over many blocks', () => {
  const columns = new Columns();
  for (const id of [100_000, 3, 5000, 4095, 4096]) columns.set(id, 1, { time: id });
  expect(idsOf(columns)).toEqual([100_000, 5000, 4096, 4095, 3]);
  expect([columns.size, columns.oldest, columns.get('time', 5000)]).toEqual([5, 3, 5000]);
});

test('a call that is said anew is counted once', () => {
  const columns = new Columns();
  columns.set(7, 1, { like: 2 });
  columns.set(7, 3);
  expect([columns.size, columns.kind(7), columns.get('like', 7)]).toEqual([1, 3, 0]);
});

test('the oldest is found again after each that goes, and after one before it that comes late', () => {
  const columns = new Columns();
  for (const id of [4090, 4097, 9000]) columns.set(id, 1);
  columns.delete(4090);
  expect(columns.oldest).toBe(4097);
  columns.delete(4097);
  columns.delete(4097);
  expect([columns.oldest, columns.size]).toEqual([9000, 1]);
  columns.set(8999, 1);
  expect(columns.oldest).toBe(8999);
  for (const id of [8999, 9000]) columns.delete(id);
  expect([columns.oldest, columns.size]).toEqual([null, 0]);
});

test('looking stops where it is told to', () => {
  const columns = new Columns();
  for (const id of [1, 2, 3]) columns.set(id, 1);
  const seen: number[] = [];
  columns.eachNewestFirst((id) => {
    seen.push(id);
    return id > 2;
  });
  expect(seen).toEqual([3, 2]);
});
