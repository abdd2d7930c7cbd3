import { expect, test } from 'vitest';
import { emptyVerdicts } from '../../../../src/panel/model/callVerdict';
import { callsText, tallyText } from '../../../../src/panel/model/tallyText';

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
