import { expect, test } from 'vitest';
import { loadHelper, probeHelper, statusOf } from '../../../src/jupyterlab/helper';
import { FakeKernel } from './fakeKernel';

const MISSING = { type: 'missing', install: '%pip install torchtwin' };

function reply(value: object) {
  return statusOf({ status: 'ok', execution_count: 0, payload: [], user_expressions: { torchtwin: value } } as never);
}

test.each([
  ["'loaded'", { type: 'ready' }],
  ["'already loaded'", { type: 'ready' }],
  ["'installed'", { type: 'not-loaded' }],
  ['None', MISSING],
])('the word %s means %j', (word, status) => {
  expect(reply({ status: 'ok', data: { 'text/plain': word }, metadata: {} })).toEqual(status);
});

test('a failure is told in its own words', () => {
  const failure = { status: 'error', ename: 'ImportError', evalue: 'no msgspec', traceback: [] };
  expect(reply(failure)).toEqual({ type: 'failed', message: 'ImportError: no msgspec' });
});

test.each([
  [
    'a word that we do not know',
    { status: 'ok', data: { 'text/plain': "'maybe'" } },
    'The helper could not be loaded.',
  ],
  ['nothing', {}, 'The helper could not be loaded.'],
])('%s is a failure', (_, value, message) => expect(reply(value)).toEqual({ type: 'failed', message }));

test('a request that the kernel dropped is a failure', () => {
  expect(statusOf({ status: 'aborted' } as never)).toEqual({
    type: 'failed',
    message: 'The kernel gave up the request.',
  });
});

test('to look changes nothing, to load does', async () => {
  const kernel = new FakeKernel();
  const [probed, loaded] = [probeHelper(kernel.real), loadHelper(kernel.real)];
  for (const { answer } of kernel.evaluations) answer('None');
  expect([await probed, await loaded]).toEqual([MISSING, MISSING]);
  const [probe, load] = kernel.evaluations.map(({ expression }) => expression);
  expect(probe).not.toContain('load_extension');
  expect(load).toContain('load_extension("torchtwin")');
  expect(load).not.toContain('watch');
});

test('a watch begins in the mode that is preferred', () => {
  const kernel = new FakeKernel();
  void loadHelper(kernel.real, 'every');
  expect(kernel.evaluations[0]?.expression).toContain('or (__import__("torchtwin").watch(mode="every") and "loaded")');
});
