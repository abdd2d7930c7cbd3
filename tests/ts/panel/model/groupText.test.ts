import { expect, test } from 'vitest';
import { type CallVerdict, emptyVerdicts, type VerdictTally } from '../../../../src/panel/model/callVerdict';
import { summary, wayTo } from '../../../../src/panel/model/groupText';
import { call } from './build';

function told(tally: Partial<VerdictTally>, latest: CallVerdict | null): string {
  const whole = { ...emptyVerdicts(), ...tally };
  const count = Object.values(whole).reduce((total, calls) => total + calls, 0);
  const newest = call(1, { forward: { kind: 'unchecked', message: 'not checked: late', reason: 'late' } });
  const { findings, latest: last, ...rest } = summary({ tally: whole, count, newest }, latest);
  const words = [...findings, ...(last ? [{ sign: 'newest', text: `${last.sign} ${last.text}` }] : [])];
  return [rest.checked, ...words.map(({ sign, text }) => `${sign} ${text}`)].filter(Boolean).join(' | ');
}

test.each([
  [{ identical: 1000 }, 'identical', '✓ all identical'],
  [{ rounding: 3 }, 'rounding', '≈ all rounding only'],
  [{ identical: 12, unchecked: 9988 }, 'identical', '12 of 10,000 checked | ✓ all identical'],
  [{ differs: 1, unchecked: 4 }, 'differs', '1 of 5 checked | ✕ 1 differs'],
  [{ unchecked: 7 }, null, '– none checked: late'],
  [{ differs: 2, identical: 7 }, 'identical', '✕ 2 differ | ✓ 7 identical | newest ✓ identical'],
  [
    { differs: 1, rounding: 1, unchecked: 1 },
    'differs',
    '2 of 3 checked | ✕ 1 differs | ≈ 1 rounding only | newest ✕ differs',
  ],
  [{ failed: 1, identical: 4 }, 'identical', '✕ 1 failed | ✓ 4 identical'],
  [{ failed: 2 }, null, '✕ all failed'],
  [{ failed: 2, unchecked: 4 }, null, '0 of 6 checked | ✕ 2 failed'],
] as [Partial<VerdictTally>, CallVerdict | null, string][])(
  'a group is told, the worst first: %j',
  (tally, latest, expected) => {
    expect(told(tally, latest)).toBe(expected);
  },
);

test.each([
  [{ differs: 1 }, 'Go to call 1,234, which differs'],
  [{ differs: 1, failed: 1 }, 'Go to call 1,234, the first that differs'],
])('the way to the first that fails: %j', (tally, expected) => {
  expect(wayTo(1234, 'differs', { tally: { ...emptyVerdicts(), ...tally } })).toBe(expected);
});
