import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Call, type DecodedPage, decodePage } from '../../src/protocol';

const HERE = join(__dirname, '../fixtures');

export interface Fixture {
  kind: string;
  value: unknown;
  where: string;
  typescript: string;
}

export function fixture(path: string): Fixture {
  return JSON.parse(readFileSync(join(HERE, path), 'utf8'));
}

/** Names of the fixtures in a folder, `invalid/call-without-id.json`. */
export function fixtures(folder = '', kind = ''): string[] {
  const names = readdirSync(join(HERE, folder)).filter((name) => name.endsWith('.json'));
  return names.map((name) => join(folder, name)).filter((path) => !kind || fixture(path).kind === kind);
}

export function pageOf(path: string): DecodedPage {
  const decoded = decodePage(fixture(path).value);
  if (decoded.type !== 'ok') throw new Error(`${path} is not a page`);
  return decoded.value;
}

/** The only call of a page fixture. */
export function callOf(path: string): Call {
  for (const { event } of pageOf(path).envelopes) if (event.type === 'call') return event;
  throw new Error(`${path} has no call`);
}
