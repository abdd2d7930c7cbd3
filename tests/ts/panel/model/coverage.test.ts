import { describe, expect, test } from 'vitest';
import { coverageText } from '../../../../src/panel/model/coverage';
import type { Verdict } from '../../../../src/protocol';
import { callOf } from '../../fixtures';

const { forward, gradients, operands } = callOf('page-probe.json');
const shape = operands.output?.shape ?? [];
const covering = (coverage: string | null, change: Partial<Verdict> = {}): Verdict => ({
  ...forward,
  coverage,
  probe: null,
  ...change,
});

describe('what was compared', () => {
  test('is not told where it was everything, or nothing', () => {
    expect(coverageText(covering('all'), shape)).toBeNull();
    expect(coverageText(covering(null), shape)).toBeNull();
  });

  test('may be some rows', () => {
    expect(coverageText(covering('rows 8 of 4096'), shape)).toBe('compared: 8 of 4,096 rows');
  });

  test('may be some rows, and a probe that tells what it would have seen', () => {
    expect(coverageText(forward, shape)).toBe(
      'compared: 8 rows exactly, a random probe over all 4,096: it would have seen a wrong element of 0.003 or more ' +
        'with probability 15 in 16',
    );
  });

  test('tells the rows that tripped the probe', () => {
    const verdict = gradients.input;
    expect(verdict && coverageText(verdict, operands.input?.shape ?? [])).toBe(
      'compared: 10 rows exactly, a random probe over all 4,096: it would have seen a wrong element of 0.0021 or more ' +
        'with probability 15 in 16; 2 rows tripped it and were computed exactly',
    );
  });

  test('is told in words where the number of rows is not known', () => {
    expect(coverageText({ ...forward, elements: 33 }, shape)).toMatch(/^compared: some rows exactly, a random probe/);
  });

  test('is told in percent for a chance that is no power of two', () => {
    const probe = { smallest: 1, probability: 0.9, alarms: 1 };
    expect(coverageText({ ...forward, probe }, shape)).toMatch(
      /with probability 90 %; 1 row tripped it and was computed exactly$/,
    );
  });

  test('is passed on as it came from a newer kernel', () => {
    expect(coverageText(covering('every second row'), shape)).toBe('compared: every second row');
  });
});
