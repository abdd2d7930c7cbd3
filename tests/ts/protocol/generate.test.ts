// @vitest-environment node
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect, test } from 'vitest';
import { fixture, fixtures } from '../fixtures';

const FOLDER = join(__dirname, '../../../src/protocol');
const schema = JSON.parse(readFileSync(join(FOLDER, 'schema.json'), 'utf8'));

test('the committed files are what the schema gives', async () => {
  const { generate } = await import('../../../src/protocol/generate.mjs');
  for (const [name, text] of Object.entries(await generate(schema))) {
    expect(readFileSync(join(FOLDER, name), 'utf8'), `run \`npm run generate\`: ${name}`).toBe(text);
  }
});

test('the checks need no eval, which a strict Content-Security-Policy forbids', () => {
  const text = readFileSync(join(FOLDER, 'validate.ts'), 'utf8');
  expect(text).not.toMatch(/\beval\(|new Function|require\(/);
});

test.each(fixtures('', 'paused-request'))('%s is a question to a paused frame', (path) => {
  const ajv = new Ajv2020({ strict: false });
  const { Inspect, Evaluate } = schema.$defs;
  const check = ajv.compile({ oneOf: [Inspect, Evaluate] });
  expect(check(fixture(path).value)).toBe(true);
  expect(check({ type: 'perhaps' })).toBe(false);
});

test.each(fixtures('', 'request'))('%s is a request of the wire', (path) => {
  const ajv = new Ajv2020({ strict: false });
  const check = ajv.compile({ ...schema, $ref: '#/$defs/Asked' });
  expect(check({ id: '1', request: fixture(path).value })).toBe(true);
  expect(check({ id: '1', request: { type: 'perhaps' } })).toBe(false);
});
