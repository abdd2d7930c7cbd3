import type { State } from '../../protocol';
import { modeOf } from './mode';

/** What the watch takes of the running time: in short, and in a sentence. */
export interface CostText {
  text: string;
  title: string;
  tone: 'quiet' | 'warn';
}

/** Seconds. A cell may use the first milliseconds of a budget in full, so the share of a shorter one says nothing. */
const LONG_ENOUGH = 1;
const BUDGET = 0.03;

/** Null where nothing has run. */
export function costText(state: State): CostText | null {
  const { cost, budget = BUDGET } = state;
  if (!cost || (cost.running <= 0 && cost.spent <= 0)) return null;
  const isAuto = modeOf(state) === 'auto';
  const title = sentence(cost, isAuto ? budget : null);
  if (cost.running <= LONG_ENOUGH) return { text: `costs ${milliseconds(cost.spent)}`, title, tone: 'quiet' };
  const share = tenths((100 * cost.spent) / cost.running);
  const text = share === 0 && cost.spent > 0 ? 'costs less than 0.1 %' : `costs ${share} %`;
  if (!isAuto) return { text, title, tone: 'quiet' };
  const allowed = tenths(budget * 100);
  return { text: `${text}, budget ${allowed} %`, title, tone: share > allowed ? 'warn' : 'quiet' };
}

/** Percent as they are shown: what is called over the budget must look so. */
function tenths(percent: number): number {
  return Math.round(percent * 10) / 10;
}

function milliseconds(seconds: number): string {
  const number = seconds * 1000;
  return number > 0 && number < 1 ? 'less than 1 ms' : `${Math.round(number)} ms`;
}

function sentence({ spent, running }: NonNullable<State['cost']>, budget: number | null): string {
  const took = `Torchtwin took ${inSeconds(spent)} beside ${inSeconds(running)} of your code, in the cell that runs or ran last`;
  return budget === null
    ? took
    : `${took}. The budget is ${tenths(budget * 100)} % of that time; a short cell may use more.`;
}

function inSeconds(seconds: number): string {
  return `${seconds >= 100 ? Math.round(seconds) : Number(seconds.toPrecision(3))} s`;
}
