import type { Decoded, DecodedReply, ElementTerms } from '../../protocol';
import { RequestError } from '../host';

/** What came of something asked by a person. `message` is a sentence for that person. */
export type Answer = { type: 'done' } | { type: 'terms'; terms: ElementTerms } | Refusal;

export interface Refusal {
  type: 'refused';
  /** `gone` and `too_large` stay so, however often it is asked. */
  code: 'busy' | 'disconnected' | 'gone' | 'too_large' | 'failed';
  message: string;
}

const BUSY = 'The kernel is busy. Try again when the cell has ended.';
const DISCONNECTED = 'The kernel is not connected.';
const gone = (why: string) => `These tensors are gone${why ? `: ${why}` : ''}. Run the cell again to look into them.`;

export function answerOf(decoded: Decoded<DecodedReply>): Answer {
  if (decoded.type === 'error') return failed(`The answer can't be read (${decoded.error.message}).`);
  if (decoded.type === 'other-protocol')
    return failed('The kernel runs another version of Torchtwin. Reload the page.');
  const reply = decoded.value;
  if (reply.type === 'element') return { type: 'terms', terms: reply };
  if (reply.type !== 'refused') return { type: 'done' };
  if (reply.code === 'gone') return { type: 'refused', code: 'gone', message: gone(reply.message) };
  return { type: 'refused', code: reply.code === 'too_large' ? 'too_large' : 'failed', message: reply.message };
}

export function refusalOf(error: unknown): Answer {
  if (!(error instanceof RequestError)) return failed(error instanceof Error ? error.message : String(error));
  return { type: 'refused', code: error.code, message: error.code === 'busy' ? BUSY : DISCONNECTED };
}

/** Whether asking once more may help. */
export function mayPass({ code }: Refusal): boolean {
  return code !== 'gone' && code !== 'too_large';
}

function failed(message: string): Refusal {
  return { type: 'refused', code: 'failed', message };
}
