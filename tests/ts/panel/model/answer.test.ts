import { describe, expect, test } from 'vitest';
import { RequestError } from '../../../../src/panel/host';
import { type Answer, answerOf, mayPass, type Refusal, refusalOf } from '../../../../src/panel/model/answer';

type Code = Parameters<typeof refused>[0];

function refused(code: 'gone' | 'too_large' | 'unknown' | 'invalid' | 'failed', message = 'why'): Answer {
  return answerOf({ type: 'ok', value: { type: 'refused', code, message } });
}

const canPass = (answer: Answer) => mayPass(answer as Refusal);

describe('a refusal of the kernel', () => {
  test.each<[Code, boolean]>([
    ['gone', false],
    ['too_large', false],
    ['unknown', false],
    ['invalid', false],
    ['failed', true],
  ])('keeps its code; %s may pass: %s', (code, passes) => {
    expect([refused(code), canPass(refused(code))]).toMatchObject([{ type: 'refused', code }, passes]);
  });

  test('is told in its own words, with advice where there is some', () => {
    expect(refused('unknown')).toMatchObject({ message: 'why' });
    expect(refused('gone')).toMatchObject({
      message: 'These tensors are gone: why. Run the cell again to look into them.',
    });
  });
});

describe('a request that did not reach the kernel', () => {
  test('is told in the words of the host', () => {
    const answer = refusalOf(new RequestError('disconnected', 'The helper is not loaded in this kernel.'));
    expect(answer).toEqual({
      type: 'refused',
      code: 'disconnected',
      message: 'The helper is not loaded in this kernel.',
    });
    expect(canPass(answer)).toBe(true);
  });

  test('or that it has not answered says when to try again', () => {
    const answer = refusalOf(new RequestError('busy', 'time-out'));
    expect(answer).toMatchObject({ code: 'busy', message: 'The kernel is busy. Try again when the cell has ended.' });
    expect(canPass(answer)).toBe(true);
  });

  test('for a reason of another kind is told in its words', () => {
    expect(refusalOf(new Error('disposed'))).toMatchObject({ code: 'failed', message: 'disposed' });
    expect(refusalOf('odd')).toMatchObject({ code: 'failed', message: 'odd' });
  });
});

test('an answer of another protocol asks to reload the page', () => {
  expect(answerOf({ type: 'other-protocol', protocol: 9 })).toMatchObject({
    code: 'failed',
    message: expect.stringContaining('Reload the page'),
  });
});
