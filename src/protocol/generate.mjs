// Writes what TypeScript knows of the wire from schema.json: `npm run generate`.
// types.ts (by json-schema-to-typescript), validate.ts (by ajv, as plain code: no eval, so that a strict
// Content-Security-Policy lets it run) and constants.ts.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Ajv } from 'ajv';
import standalone from 'ajv/dist/standalone/index.js';
import { compile } from 'json-schema-to-typescript';

const HERE = dirname(fileURLToPath(import.meta.url));
const MADE = '// Made from schema.json by `npm run generate`. Do not edit.\n';
const EVENTS = ['State', 'Tensors', 'Call', 'Run', 'Cleared', 'Comparison'];
const REPLIES = ['Done', 'ElementTerms', 'Refused'];
const PAUSED = ['PausedFrame', 'Evaluated'];

/** The generated files, by name. */
export async function generate(schema = JSON.parse(readFileSync(join(HERE, 'schema.json'), 'utf8'))) {
  const named = nameElements(openDiagnosis(schema));
  return { 'types.ts': await types(named), 'validate.ts': validators(named), 'constants.ts': constants(schema) };
}

/**
 * The schema with any word for a diagnosis's code. A newer kernel may find causes that this page has not heard of: what
 * they are is told by the message.
 */
function openDiagnosis(schema) {
  const { Diagnosis } = schema.$defs;
  const code = { type: 'string' };
  const properties = { ...Diagnosis.properties, code, also: { ...Diagnosis.properties.also, items: code } };
  return { ...schema, $defs: { ...schema.$defs, Diagnosis: { ...Diagnosis, properties } } };
}

const ELEMENT = { anyOf: [{ type: 'number' }, { enum: ['-inf', 'inf', 'nan'] }] };
const ELEMENT_REF = { $ref: '#/$defs/ElementValue' };
const DESCRIPTION = "An element's value. JSON has no NaN and no infinities, so these three travel as words.";

/** The schema with one name for an element's value, which msgspec spells out each time. */
function nameElements(schema) {
  const $defs = {
    ...named(schema.$defs),
    ElementValue: { ...ELEMENT, title: 'ElementValue', description: DESCRIPTION },
  };
  return { ...schema, $defs };
}

function named(value) {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(named);
  const [number, words, ...rest] = value.anyOf ?? [];
  if (JSON.stringify([number, words]) !== JSON.stringify(ELEMENT.anyOf)) {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, named(inner)]));
  }
  const { anyOf: _, ...others } = value;
  return rest.length ? { ...others, anyOf: [ELEMENT_REF, ...rest] } : { ...others, ...ELEMENT_REF };
}

async function types(schema) {
  const root = { title: 'Wire', type: 'object', $defs: schema.$defs };
  const style = { singleQuote: true, printWidth: 120 };
  const options = { additionalProperties: false, unreachableDefinitions: true, bannerComment: '', style };
  return MADE + tidy(await compile(root, 'Wire', options));
}

/** Without the root that only holds the definitions, and without comments that say where a definition lies. */
function tidy(text) {
  const rest = text.replace(/export interface Wire \{\s*\}\n*/, '');
  return rest
    .replace(/( \*\n)?^ \* This interface was .*\n \* via .*\n/gm, '')
    .replace(/^\/\*\*\n \*\/\n/gm, '')
    .replace(/\n {2,}\* {2,}/g, '\n * ');
}

function constants(schema) {
  const lines = Object.entries(schema.$constants).map(([name, value]) => `export const ${name} = ${quote(value)};`);
  return `${MADE}${lines.join('\n')}\n`;
}

function quote(value) {
  if (typeof value !== 'string') return String(value);
  return value.includes("'") ? `"${value}"` : `'${value}'`;
}

function validators(schema) {
  const ajv = new Ajv({ inlineRefs: false, code: { source: true, esm: true, lines: true } });
  ajv.addSchema({ $id: 'wire', $defs: bare({ ...schema.$defs, ...frames(schema.$defs) }) });
  const names = [...EVENTS, ...REPLIES, ...PAUSED, 'AnswerFrame', 'PageFrame', 'ReplyFrame'];
  const refs = Object.fromEntries(names.map((name) => [`check${name}`, `wire#/$defs/${name}`]));
  return header() + standalone.default(ajv, refs) + guards(names);
}

/** The schema without what only a person or a type generator reads. */
function bare(value) {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(bare);
  const { title, description, default: _, discriminator, ...rest } = value;
  return Object.fromEntries(
    Object.entries(rest).map(([key, inner]) => [key, key === 'properties' ? each(inner) : bare(inner)]),
  );
}

function each(properties) {
  return Object.fromEntries(Object.entries(properties).map(([name, inner]) => [name, bare(inner)]));
}

/** The page and the reply with what they carry left open, so that an unknown kind of event or reply is no error. */
function frames({ Page, Envelope, PausedAnswer }) {
  const open = { type: 'object', required: ['type'], properties: { type: { type: 'string' } } };
  const envelope = { ...Envelope, properties: { ...Envelope.properties, event: open } };
  const envelopes = { type: 'array', items: envelope };
  const answer = { ...PausedAnswer, properties: { ...PausedAnswer.properties, reply: open } };
  return {
    PageFrame: { ...Page, properties: { ...Page.properties, envelopes } },
    ReplyFrame: open,
    AnswerFrame: answer,
  };
}

function header() {
  const names = [...EVENTS, ...REPLIES, ...PAUSED].join(', ');
  return `// @ts-nocheck\n${MADE}import type { Envelope, Page, ${names} } from './types';\n\n${GUARD}\n`;
}

const GUARD = `/** What ajv says of a value that does not fit. */
export interface Misfit { keyword: string; instancePath: string; message?: string; params: Record<string, unknown> }
/** Says whether a value fits, and leaves in \`errors\` why not. */
export interface Guard<T> { (value: unknown): value is T; errors?: null | Misfit[] }
export interface ReplyFrame { type: string }
/** A paused frame's answer whose reply is still unread. */
export interface AnswerFrame { protocol: number; reply: { type: string } }
/** A page whose events are still unread. */
export interface PageFrame extends Omit<Page, 'envelopes'> {
  envelopes: (Omit<Envelope, 'event'> & { event: { type: string } })[];
}
`;

function guards(names) {
  return `\n${names.map((name) => `export const is${name}: Guard<${name}> = check${name};`).join('\n')}\n`;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const [name, text] of Object.entries(await generate())) {
    writeFileSync(join(HERE, name), text);
  }
}
