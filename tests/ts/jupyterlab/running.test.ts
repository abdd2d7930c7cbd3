import type { KernelMessage } from '@jupyterlab/services';
import { expect, test } from 'vitest';
import { RunningCells } from '../../../src/jupyterlab/running';

function status(state: string, cause: object): KernelMessage.IStatusMsg {
  return { parent_header: cause, content: { execution_state: state } } as KernelMessage.IStatusMsg;
}

const cell = (id: string) => ({ msg_id: id, msg_type: 'execute_request' });

test('a cell runs from its first word to its last', () => {
  const running = new RunningCells();
  running.receive(status('busy', cell('a')));
  expect(running.any).toBe(true);
  running.receive(status('idle', cell('a')));
  expect(running.any).toBe(false);
});

test('the end of one cell is not that of another', () => {
  const running = new RunningCells();
  for (const id of ['a', 'b']) running.receive(status('busy', cell(id)));
  running.receive(status('idle', cell('a')));
  expect(running.any).toBe(true);
});

test.each([{}, { msg_id: 'q', msg_type: 'comm_msg' }])('what a subshell answers is no cell: %j', (cause) => {
  const running = new RunningCells();
  running.receive(status('busy', cause));
  expect(running.any).toBe(false);
  running.receive(status('busy', cell('a')));
  running.receive(status('idle', cause));
  expect(running.any).toBe(true);
});

test('a restart ends all of them', () => {
  const running = new RunningCells();
  running.receive(status('busy', cell('a')));
  running.forget();
  expect(running.any).toBe(false);
});
