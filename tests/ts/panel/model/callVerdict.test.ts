import { describe, expect, test } from 'vitest';
import { callVerdict, emptyVerdicts, worstOf } from '../../../../src/panel/model/callVerdict';
import type { Verdict, VerdictKind } from '../../../../src/protocol';
import { callOf } from '../../fixtures';
import { call } from './build';

const verdict = (kind: VerdictKind): Verdict => ({ kind, message: kind });

describe('the verdict on a call', () => {
  test.each<[VerdictKind, VerdictKind | null, string]>([
    ['identical', null, 'identical'],
    ['identical', 'rounding', 'rounding'],
    ['rounding', 'different', 'differs'],
    ['different', 'unchecked', 'differs'],
    ['unchecked', 'identical', 'identical'],
    ['unchecked', null, 'unchecked'],
  ])('whose output is %s and weight gradient %s is "%s"', (output, weight, expected) => {
    const gradients = { weight: weight && verdict(weight), bias: null, input: null };
    expect(callVerdict(call(1, { forward: verdict(output), gradients }))).toBe(expected);
  });

  test('that raised is "failed"', () => {
    expect(callVerdict(callOf('page-failed.json'))).toBe('failed');
  });
});

describe('the worst of several verdicts', () => {
  test.each([
    [{ identical: 3, differs: 1, failed: 1 }, 'failed'],
    [{ identical: 3, rounding: 1 }, 'rounding'],
    [{ identical: 1, unchecked: 99 }, 'identical'],
    [{ unchecked: 2 }, 'unchecked'],
    [{}, null],
  ])('%j', (tally, expected) => {
    expect(worstOf({ ...emptyVerdicts(), ...tally })).toBe(expected);
  });
});
