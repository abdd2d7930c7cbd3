import type { State } from '../../protocol';
import { callsText } from './tallyText';

export type Unseen = NonNullable<State['unseen']>[number];

/** How much ran unseen, in short. Of what can't be counted it is known only that it may have run. */
export function unseenText(unseen: readonly Unseen[]): string {
  const known = unseen.flatMap(({ calls }) => calls ?? []);
  if (known.length === 0) return 'some calls may run unseen';
  const ran = `${callsText(known.reduce((sum, each) => sum + each, 0))} ran unseen`;
  return known.length < unseen.length ? `${ran}, others may` : ran;
}

/** How many calls one entry stands for. */
export function unseenCalls({ calls }: Unseen): string {
  return calls === null ? 'not counted' : callsText(calls);
}
