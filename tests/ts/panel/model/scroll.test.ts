import { expect, test } from 'vitest';
import { scrollTo } from '../../../../src/panel/model/scroll';

const [TITLE, FRAME] = [20, 200];
const line = (top: number) => ({ top, height: 30 });

test.each([
  ['not at all where they are in sight', 20, 170, 0],
  ['as little as will do', 100, 190, 20],
  ['to the first ones where there is no room for all', 300, 900, 280],
  ['to the last line', 900, 900, 730],
])('lines are brought into sight: %s', (_, first, last, expected) => {
  expect(scrollTo(line(first), line(last), TITLE, FRAME)).toBe(expected);
});
