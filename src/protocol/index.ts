import type { Answered, Asked, Envelope, Verdict } from './types';

export * from './constants';
export * from './decode';
export type * from './types';

export type Event = Envelope['event'];
export type Request = Asked['request'];
export type Reply = Answered['reply'];
export type VerdictKind = Verdict['kind'];
