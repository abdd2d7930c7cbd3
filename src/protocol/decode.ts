import { PROTOCOL } from './constants';
import type {
  Call,
  Cleared,
  Comparison,
  Done,
  ElementTerms,
  Evaluated,
  PausedFrame,
  Refused,
  Run,
  State,
  Tensors,
} from './types';
import * as wire from './validate';

/** An event of a kind that this build does not know. It is shown as unknown, never guessed. */
export interface UnknownEvent {
  type: 'unknown';
  name: string;
}

export type DecodedEvent = State | Tensors | Call | Run | Cleared | Comparison | UnknownEvent;

export interface DecodedEnvelope {
  seq: number;
  event: DecodedEvent;
}

/** A page whose every event has been checked. Fields as in the wire's `Page`. */
export interface DecodedPage {
  session: string;
  after: number;
  upto: number;
  latest: number;
  envelopes: DecodedEnvelope[];
}

export type DecodedReply = { type: 'page'; page: DecodedPage } | Done | ElementTerms | Refused;

/** What a paused frame answers. */
export type DecodedAnswer = PausedFrame | Evaluated | Refused;

/** Where a value departs from the wire's schema, and how. */
export class DecodeError extends Error {
  constructor(
    readonly where: string,
    readonly what: string,
  ) {
    super(`${where || '/'}: ${what}`);
    this.name = 'DecodeError';
  }
}

/** `other-protocol`: the sender speaks another version of the wire, so nothing was read. */
export type Decoded<T> =
  | { type: 'ok'; value: T }
  | { type: 'error'; error: DecodeError }
  | { type: 'other-protocol'; protocol: number };

export function decodePage(value: unknown): Decoded<DecodedPage> {
  return attempt(() => page(value, ''));
}

/** Decodes the `reply` of an answer, not the answer around it. */
export function decodeReply(value: unknown): Decoded<DecodedReply> {
  return attempt(() => reply(value));
}

/** Decodes what a paused frame answered, from the JSON that the debugger's result holds in base64. */
export function decodeAnswer(value: unknown): Decoded<DecodedAnswer> {
  return attempt(() => answer(value));
}

class OtherProtocol extends Error {
  constructor(readonly protocol: number) {
    super(`protocol ${protocol}`);
  }
}

function attempt<T>(decode: () => T): Decoded<T> {
  try {
    return { type: 'ok', value: decode() };
  } catch (error) {
    if (error instanceof DecodeError) return { type: 'error', error };
    if (error instanceof OtherProtocol) return { type: 'other-protocol', protocol: error.protocol };
    throw error;
  }
}

function page(value: unknown, where: string): DecodedPage {
  refuseOtherProtocol(value);
  const frame = checked(wire.isPageFrame, value, where);
  const envelopes = frame.envelopes.map((envelope, index) => {
    refuseOtherProtocol(envelope);
    const at = `${where}/envelopes/${index}`;
    if (envelope.session !== frame.session) throw new DecodeError(`${at}/session`, 'must be the session of the page');
    return { seq: envelope.seq, event: event(envelope.event, `${at}/event`) };
  });
  const { session, after, upto, latest } = frame;
  return { session, after, upto, latest, envelopes };
}

function refuseOtherProtocol(value: unknown): void {
  if (typeof value !== 'object' || value === null || !('protocol' in value)) return;
  if (typeof value.protocol === 'number' && value.protocol !== PROTOCOL) throw new OtherProtocol(value.protocol);
}

function event(value: { type: string }, where: string): DecodedEvent {
  switch (value.type) {
    case 'state':
      return checked(wire.isState, value, where);
    case 'tensors':
      return checked(wire.isTensors, value, where);
    case 'call':
      return checked(wire.isCall, value, where);
    case 'run':
      return checked(wire.isRun, value, where);
    case 'cleared':
      return checked(wire.isCleared, value, where);
    case 'comparison':
      return checked(wire.isComparison, value, where);
    default:
      return { type: 'unknown', name: value.type };
  }
}

function reply(value: unknown): DecodedReply {
  const frame = checked(wire.isReplyFrame, value, '');
  switch (frame.type) {
    case 'page':
      return { type: 'page', page: page('page' in frame ? frame.page : undefined, '/page') };
    case 'done':
      return checked(wire.isDone, value, '');
    case 'element':
      return checked(wire.isElementTerms, value, '');
    case 'refused':
      return checked(wire.isRefused, value, '');
    default:
      throw new DecodeError('/type', `unknown reply "${frame.type}"`);
  }
}

function answer(value: unknown): DecodedAnswer {
  refuseOtherProtocol(value);
  const { reply } = checked(wire.isAnswerFrame, value, '');
  switch (reply.type) {
    case 'frame':
      return checked(wire.isPausedFrame, reply, '/reply');
    case 'evaluated':
      return checked(wire.isEvaluated, reply, '/reply');
    case 'refused':
      return checked(wire.isRefused, reply, '/reply');
    default:
      throw new DecodeError('/reply/type', `unknown answer "${reply.type}"`);
  }
}

function checked<T>(guard: wire.Guard<T>, value: unknown, where: string): T {
  if (guard(value)) return value;
  throw new DecodeError(...explain(guard.errors ?? [], where));
}

/** The misfits that lie deepest: where null is allowed beside an object, they are the ones that say something. */
function explain(misfits: wire.Misfit[], where: string): [string, string] {
  const deepest = Math.max(...misfits.map(depth));
  const there = misfits.filter((misfit) => depth(misfit) === deepest && misfit.keyword !== 'anyOf');
  return [where + (there[0]?.instancePath ?? ''), there.map(sentence).join(', or ') || 'does not fit the schema'];
}

function depth(misfit: wire.Misfit): number {
  return misfit.instancePath.split('/').length;
}

function sentence({ message, params }: wire.Misfit): string {
  const choices = Array.isArray(params.allowedValues) ? `: ${params.allowedValues.join(', ')}` : '';
  return `${message ?? 'does not fit the schema'}${choices}`;
}
