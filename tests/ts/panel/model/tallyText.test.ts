import { expect, test } from 'vitest';
import { emptyVerdicts } from '../../../../src/panel/model/callVerdict';
import { callsText, partText, tallyText } from '../../../../src/panel/model/tallyText';

test.each([
  [{ identical: 11, differs: 1 }, '1 differs, 11 identical'],
  [{ differs: 2, failed: 1, unchecked: 1000 }, '1 failed, 2 differ, 1,000 unchecked'],
  [{}, ''],
])('%j is told as "%s"', (tally, text) => {
  expect(tallyText({ ...emptyVerdicts(), ...tally })).toBe(text);
});

test('calls are counted', () => {
  expect([callsText(0), callsText(1), callsText(1200)]).toEqual(['0 calls', '1 call', '1,200 calls']);
});

test.each([
  [{ identical: 2, unchecked: 1998 }, '2 of 2,000'],
  [{ failed: 1, differs: 1, rounding: 1, unchecked: 4 }, '2 of 7'],
  [{ identical: 2000 }, null],
  [{ unchecked: 2000 }, null],
  [{}, null],
])('how many were checked is told where it were some: %j', (tally, text) => {
  expect(partText({ ...emptyVerdicts(), ...tally })).toBe(text);
});
