import type { KernelMessage } from '@jupyterlab/services';
import { expect, test } from 'vitest';
import { KernelProcess } from '../../../src/jupyterlab/process';

function status(session: string, state = 'busy'): KernelMessage.IStatusMsg {
  return { header: { session }, content: { execution_state: state } } as KernelMessage.IStatusMsg;
}

/** What each of these messages tells, one after the other. */
function told(process: KernelProcess, ...sessions: string[]): boolean[] {
  return sessions.map((session) => process.isReplacedBy(status(session)));
}

test('the first process replaces none, and stays itself', () => {
  expect(told(new KernelProcess(), 'a', 'a')).toEqual([false, false]);
});

test('another one replaces it once, whatever the old one says late', () => {
  expect(told(new KernelProcess(), 'a', 'b', 'a', 'b', 'c')).toEqual([false, true, false, false, true]);
});

test('one that was known to end is not replaced by the next', () => {
  const process = new KernelProcess();
  told(process, 'a');
  process.ends();
  process.ends();
  expect(told(process, 'a', 'b', 'a', 'c')).toEqual([false, false, false, true]);
});

test.each(['restarting', 'dead'])('the server speaks of %s with a session of its own', (state) => {
  const process = new KernelProcess();
  told(process, 'a');
  expect(process.isReplacedBy(status('server', state))).toBe(false);
  expect(told(process, 'a')).toEqual([false]);
});
