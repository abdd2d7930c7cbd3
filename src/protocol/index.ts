import type { Answered, Asked, Envelope, Evaluate, Inspect, SetMode, Verdict } from './types';

export * from './constants';
export * from './decode';
export * from './paused';
export type * from './types';

export type Event = Envelope['event'];
export type Request = Asked['request'];
export type Reply = Answered['reply'];
/** Which calls are checked. */
export type Mode = SetMode['mode'];
export type VerdictKind = Verdict['kind'];
/** What is asked of a paused frame. */
export type PausedRequest = Inspect | Evaluate;
