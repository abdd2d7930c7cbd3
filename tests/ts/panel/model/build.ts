import { type Call, type DecodedEvent, type DecodedPage, PROTOCOL, type Run } from '../../../../src/protocol';
import { callOf } from '../../fixtures';

const CALL = callOf('page-exercise.json');

/** The exercise's call under another id. */
export function call(id: number, change: Partial<Call> = {}): Call {
  return { ...CALL, id, ...change };
}

/** Events one after the other, from `after` + 1 on. */
export function decodedPage(events: DecodedEvent[], after = 0, change: Partial<DecodedPage> = {}): DecodedPage {
  const upto = after + events.length;
  const envelopes = events.map((event, index) => ({ seq: after + index + 1, event }));
  return { session: 's1', after, upto, latest: upto, envelopes, ...change };
}

/** The same as it travels. */
export function page(events: DecodedEvent[], after = 0, change: Partial<DecodedPage> = {}) {
  const decoded = decodedPage(events, after, change);
  const { session } = decoded;
  const envelopes = decoded.envelopes.map((envelope) => ({ protocol: PROTOCOL, session, ...envelope }));
  return { protocol: PROTOCOL, ...decoded, envelopes };
}

export function calls(from: number, to: number): Call[] {
  return Array.from({ length: to - from + 1 }, (_, index) => call(from + index));
}

/** Calls that were not checked, each like the call of id `like`. */
export function run(first: number, count: number, like = 1, change: Partial<Run> = {}): Run {
  const each = <T>(value: T) => Array.from({ length: count }, () => value);
  return {
    type: 'run',
    first,
    like: each(like),
    shapes: [[4, 2]],
    shape: each(0),
    time: 1_700_000_000,
    seconds: (count - 1) / 1000,
    reason: 'over the budget',
    ...change,
  };
}
