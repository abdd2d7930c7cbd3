import { expect, test } from 'vitest';
import { PAUSED_ASK, pausedAnswer, pausedExpression } from '../../../src/protocol';

const UTF8 = { toText: new TextDecoder(), toBytes: new TextEncoder() };
const fromBase64 = (text: string) =>
  UTF8.toText.decode(Uint8Array.from(atob(text), (character) => character.charCodeAt(0)));
const toBase64 = (text: string) => btoa(String.fromCharCode(...UTF8.toBytes.encode(text)));

test('a question is one expression in plain characters, whatever stands in it', () => {
  const request = { type: 'evaluate', expression: `f"{ß}" + 'x' + "€\\n"`, seconds: 10 } as const;
  const text = pausedExpression(request);
  const [, asked] = text.match(/^(?:.*)\('([A-Za-z0-9+/=]+)'\)$/) ?? [];
  expect(text.startsWith(`${PAUSED_ASK}('`)).toBe(true);
  expect(JSON.parse(fromBase64(asked ?? ''))).toEqual(request);
});

test('an answer is read from the repr of a string', () => {
  expect(pausedAnswer(`'${toBase64('{"text":"ß€"}')}'`)).toEqual({ text: 'ß€' });
});

test.each(['', 'None', "'!'", `'${btoa('{"cut')}'`])('%j is no answer', (result) => {
  expect(() => pausedAnswer(result)).toThrow();
});

test('an expression of 10,000 characters is asked', () => {
  const text = pausedExpression({ type: 'evaluate', expression: '€'.repeat(10_000), seconds: 1 });
  expect(text.length).toBeGreaterThan(40_000);
});
