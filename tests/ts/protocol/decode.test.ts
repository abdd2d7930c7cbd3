import { describe, expect, test } from 'vitest';
import { decodeAnswer, decodePage, decodeReply } from '../../../src/protocol';
import { fixture, fixtures } from '../fixtures';

type Decoder = typeof decodePage | typeof decodeReply | typeof decodeAnswer;
const decoders: Record<string, Decoder> = { page: decodePage, reply: decodeReply, 'paused-answer': decodeAnswer };

function decode(path: string) {
  const { kind, value } = fixture(path);
  const decoder = decoders[kind];
  if (!decoder) throw new Error(`no decoder for ${kind}`);
  return decoder(value);
}

describe('messages of this version', () => {
  test.each([...fixtures('', 'page'), ...fixtures('', 'reply'), ...fixtures('', 'paused-answer')])(
    '%s is read',
    (path) => {
      expect(decode(path).type).toBe('ok');
    },
  );

  test('a page keeps every event and its numbers', () => {
    const { value } = fixture('page-exercise.json');
    expect(decodePage(value)).toMatchObject({ value: { session: '5f0c2d7e-session', after: 0, upto: 3, latest: 3 } });
    expect(decodePage(value)).toMatchObject({ value: { envelopes: [{ seq: 1 }, { seq: 2 }, { seq: 3 }] } });
  });

  test('fields with a default may be left out', () => {
    const site = { type: 'refused', code: 'gone', message: '' };
    expect(decodeReply(site).type).toBe('ok');
    const page = structuredClone(fixture('page-before-backward.json').value);
    expect(JSON.stringify(page)).toContain('"reason":null');
    const short = JSON.parse(JSON.stringify(page).replaceAll('"reason":null,', ''));
    expect(decodePage(short).type).toBe('ok');
  });
});

test('an answer of compare is read with its gradients', () => {
  const decoded = decodePage(fixture('page-comparison.json').value);
  expect(decoded).toMatchObject({
    value: { envelopes: [{ event: { type: 'comparison', actual: 'no_bias' } }, { event: { gradients: [{}, {}] } }] },
  });
});

describe('the answer of a paused frame', () => {
  test('keeps its tensors and what the line will do', () => {
    expect(decodeAnswer(fixture('paused-answer-frame.json').value)).toMatchObject({
      value: { type: 'frame', tensors: [{ name: 'h', statistics: { max: 1 } }, {}], products: [{ state: 'ahead' }] },
    });
  });

  test('of another protocol is not read', () => {
    const { value } = fixture('paused-answer-evaluated.json');
    expect(decodeAnswer({ ...value, protocol: 2 })).toEqual({ type: 'other-protocol', protocol: 2 });
  });

  test('of an unknown kind is refused', () => {
    const decoded = decodeAnswer({ protocol: 1, reply: { type: 'perhaps' } });
    expect(decoded).toMatchObject({ type: 'error', error: { where: '/reply/type' } });
  });
});

describe('broken messages', () => {
  test.each(fixtures('invalid'))('%s is refused for the reason it names', (path) => {
    const { where, typescript } = fixture(path);
    const decoded = decode(path);
    if (decoded.type !== 'error') throw new Error(`${path} was ${decoded.type}`);
    expect(decoded.error.where).toBe(where);
    expect(decoded.error.what).toContain(typescript);
  });

  test('an envelope of another session than its page is refused', () => {
    const page = JSON.stringify(fixture('page-off.json').value).replace('"seq":1', '"seq":1,"session":"other"');
    expect(JSON.parse(page)).toMatchObject({ envelopes: [{ seq: 1, session: 'other' }] });
    expect(decodePage(JSON.parse(page))).toMatchObject({ type: 'error', error: { where: '/envelopes/0/session' } });
  });

  test.each([null, undefined, 3, 'page', [], {}])('%j is no page and no reply', (value) => {
    expect(decodePage(value).type).toBe('error');
    expect(decodeReply(value).type).toBe('error');
    expect(decodeAnswer(value).type).toBe('error');
  });
});

describe('messages of a newer kernel', () => {
  test('an unknown event is shown as unknown, and those around it are read', () => {
    const decoded = decodePage(fixture('newer/unknown-event.json').value);
    const types = decoded.type === 'ok' ? decoded.value.envelopes.map(({ event }) => event.type) : [];
    expect(types).toEqual(['state', 'unknown', 'call']);
    expect(decoded).toMatchObject({ value: { envelopes: [{}, { event: { name: 'histogram' } }, {}] } });
  });

  test('another protocol is said, and nothing is read', () => {
    expect(decodePage(fixture('newer/other-protocol.json').value)).toEqual({ type: 'other-protocol', protocol: 2 });
    expect(decodeReply({ type: 'page', page: { protocol: 3 } })).toEqual({ type: 'other-protocol', protocol: 3 });
  });

  test('a diagnosis of an unknown code is read as it is', () => {
    const decoded = decodePage(fixture('newer/unknown-diagnosis.json').value);
    const forward = { diagnosis: { code: 'wrong_axis', also: ['cosmic_ray'] } };
    expect(decoded).toMatchObject({ type: 'ok', value: { envelopes: [{}, { event: { forward } }] } });
  });

  test('an unknown field is passed over', () => {
    expect(decodePage(fixture('newer/unknown-field.json').value).type).toBe('ok');
  });
});

test('a page of 2,000 calls is decoded whole', () => {
  const page = JSON.parse(JSON.stringify(fixture('page-rounding.json').value));
  const call = page.envelopes[1];
  page.envelopes = Array.from({ length: 2000 }, (_, index) => ({ ...call, seq: index + 1 }));
  const decoded = decodePage(page);
  expect(decoded.type === 'ok' && decoded.value.envelopes.length).toBe(2000);
});
