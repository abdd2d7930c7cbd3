import type { Decoded, DecodedReply, ElementTerms, Refused } from '../../protocol';
import { RequestError } from '../host';

/** What came of something asked by a person. `message` is a sentence for that person. */
export type Answer = { type: 'done' } | { type: 'terms'; terms: ElementTerms } | Refusal;

export interface Refusal {
  type: 'refused';
  /** The kernel's own code, or why it was not reached; `failed` also for an answer that can't be read. */
  code: Refused['code'] | RequestError['code'];
  message: string;
}

const BUSY = 'The kernel is busy. Try again when the cell has ended.';
const gone = (why: string) => `These tensors are gone${why ? `: ${why}` : ''}. Run the cell again to look into them.`;

export function answerOf(decoded: Decoded<DecodedReply>): Answer {
  if (decoded.type !== 'ok') return undecodable(decoded);
  const reply = decoded.value;
  if (reply.type === 'element') return { type: 'terms', terms: reply };
  if (reply.type !== 'refused') return { type: 'done' };
  return { ...reply, message: reply.code === 'gone' ? gone(reply.message) : reply.message };
}

export function undecodable(decoded: Exclude<Decoded<unknown>, { type: 'ok' }>): Refusal {
  if (decoded.type === 'error') return unreadable(decoded.error.message);
  return failed('The kernel runs another version of Torchtwin. Reload the page.');
}

export function unreadable(why: string): Refusal {
  return failed(`The answer can't be read (${why}).`);
}

export function refusalOf(error: unknown): Refusal {
  if (!(error instanceof RequestError)) return failed(error instanceof Error ? error.message : String(error));
  return { type: 'refused', code: error.code, message: error.code === 'busy' ? BUSY : error.message };
}

/** Whether asking once more may help. The other refusals stay so, however often it is asked. */
export function mayPass({ code }: Refusal): boolean {
  return code === 'busy' || code === 'disconnected' || code === 'failed';
}

function failed(message: string): Refusal {
  return { type: 'refused', code: 'failed', message };
}
