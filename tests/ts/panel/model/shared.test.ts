import { expect, test } from 'vitest';
import { Pool, shared } from '../../../../src/panel/model/shared';

test('what equals is the same object afterwards, and what differs is as it was', () => {
  const like = { a: { b: [1, 2] }, c: [{ d: null }], e: 1 };
  const value = { a: { b: [1, 2] }, c: [{ d: null }, 3], e: 1, f: [0] };
  const copy = structuredClone(value);
  const result = shared(value, like);
  expect(result).toEqual(copy);
  expect(value).toEqual(copy);
  expect([result.a === like.a, result.c[0] === like.c[0], result.f === value.f]).toEqual([true, true, true]);
  expect(shared(structuredClone(like), like)).toBe(like);
});

test.each([
  [{ a: 1 }, { a: 1, b: 2 }],
  [[1], [1, 2]],
  [[], {}],
  [{ 0: 1 }, [1]],
  [null, {}],
  ['1', 1],
])('what only resembles is kept apart: %j, %j', (value, like) => {
  expect(shared(value, like)).toStrictEqual(value);
});

test('a pool holds equal values once, and gives their number on when nobody has them any more', () => {
  const pool = new Pool<number[]>((shape) => shape.join());
  const [one, again, two] = [pool.take([1, 2]), pool.take([1, 2]), pool.take([12])];
  expect([one === again, one === two, pool.get(two)]).toEqual([true, false, [12]]);
  pool.release(one);
  expect(pool.get(one)).toEqual([1, 2]);
  pool.release(one);
  pool.release(one);
  expect(pool.get(one)).toBeUndefined();
  expect([pool.take([3]), pool.get(two)]).toEqual([one, [12]]);
});
