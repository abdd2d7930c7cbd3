import type { Answered, Asked, Envelope, SetMode, Verdict } from './types';

export * from './constants';
export * from './decode';
export type * from './types';

export type Event = Envelope['event'];
export type Request = Asked['request'];
export type Reply = Answered['reply'];
/** Which calls are checked. */
export type Mode = SetMode['mode'];
export type VerdictKind = Verdict['kind'];
