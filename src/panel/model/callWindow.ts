import type { Call } from '../../protocol';
import type { CallLog } from './callLog';

/** The calls that are drawn, newest first: the newest, and behind a gap those that a person has opened. */
export interface CallWindow {
  newest: Call[];
  kept: Call[];
  /** How many others there are. */
  hidden: number;
}

/** The newest `count` calls that did not raise, and of the older ones those with an id among `touched`. */
export function callWindow(log: CallLog, count: number, touched: readonly number[]): CallWindow {
  const newest = log.newest(count, (outcome) => outcome !== 'failed');
  const oldest = newest.at(-1)?.id ?? 0;
  const older = touched.filter((id) => id < oldest).sort((a, b) => b - a);
  const kept = older.flatMap((id) => log.get(id) ?? []);
  return { newest, kept, hidden: log.size - log.tally.failed - newest.length - kept.length };
}
