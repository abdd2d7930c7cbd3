import { describe, expect, test } from 'vitest';
import { costText } from '../../../../src/panel/model/cost';
import type { State } from '../../../../src/protocol';

const STATE: State = {
  type: 'state',
  watching: true,
  torch: '2.13.0',
  torchtwin: '0.1.0',
  calls: 1,
  dropped: 0,
  internal_errors: null,
};

function cost(spent: number, running: number, change: Partial<State> = {}) {
  const told = costText({ ...STATE, mode: 'auto', budget: 0.03, cost: { spent, running }, ...change });
  return told && [told.text, told.tone];
}

describe('what the watch costs', () => {
  test('is a share of the running time beside the budget, quiet up to it and a warning above', () => {
    expect(cost(0.21, 10)).toEqual(['costs 2.1 %, budget 3 %', 'quiet']);
    expect(cost(0.3, 10)).toEqual(['costs 3 %, budget 3 %', 'quiet']);
    expect(cost(0.31, 10)).toEqual(['costs 3.1 %, budget 3 %', 'warn']);
    expect(cost(1.61, 10)).toEqual(['costs 16.1 %, budget 3 %', 'warn']);
  });

  test('never warns of a share that looks like the budget', () => {
    expect(cost(0.3004, 10)).toEqual(['costs 3 %, budget 3 %', 'quiet']);
    expect(cost(0.0505, 2, { budget: 0.0253 })).toEqual(['costs 2.5 %, budget 2.5 %', 'quiet']);
  });

  test('of a cell that has run for a second at most is in milliseconds, whatever its share', () => {
    expect(cost(0.012, 0.05)).toEqual(['costs 12 ms', 'quiet']);
    expect(cost(0.02, 1)).toEqual(['costs 20 ms', 'quiet']);
    expect(cost(0.0004, 0.5)).toEqual(['costs less than 1 ms', 'quiet']);
    expect(cost(0.02, 1.01)).toEqual(['costs 2 %, budget 3 %', 'quiet']);
  });

  test.each(['shapes', 'every'] as const)('has no budget in mode %s', (mode) => {
    expect(cost(5, 10, { mode })).toEqual(['costs 50 %', 'quiet']);
    expect(costText({ ...STATE, mode, cost: { spent: 5, running: 10 } })?.title).not.toContain('budget');
  });

  test('is told with both times and the budget, in seconds', () => {
    const told = costText({ ...STATE, budget: 0.025, cost: { spent: 0.0214, running: 123.4 } });
    expect(told?.title).toContain('took 0.0214 s beside 123 s of your code');
    expect(told?.title).toContain('The budget is 2.5 %');
  });

  test('is not told before anything ran', () => {
    expect(costText(STATE)).toBeNull();
    expect(costText({ ...STATE, cost: null })).toBeNull();
    expect(cost(0, 0)).toBeNull();
  });

  test('is a share also where next to nothing was spent', () => {
    expect(cost(0.001, 3)).toEqual(['costs less than 0.1 %, budget 3 %', 'quiet']);
    expect(cost(0, 3)).toEqual(['costs 0 %, budget 3 %', 'quiet']);
  });
});
