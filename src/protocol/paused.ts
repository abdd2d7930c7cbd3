import { PAUSED_ASK } from './constants';
import type { Evaluate, Inspect } from './types';

/** The Python expression that asks this, to be evaluated in the paused frame. */
export function pausedExpression(request: Inspect | Evaluate): string {
  const bytes = Array.from(new TextEncoder().encode(JSON.stringify(request)), (byte) => String.fromCharCode(byte));
  return `${PAUSED_ASK}('${btoa(bytes.join(''))}')`;
}

/** The answer in what the debugger gives back, the `repr` of a string. Throws where it holds none. */
export function pausedAnswer(result: string): unknown {
  const bytes = Uint8Array.from(atob(result.slice(1, -1)), (character) => character.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes));
}
