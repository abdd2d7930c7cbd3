import { expect, test, vi } from 'vitest';
import { cellWith } from '../../../src/jupyterlab/cells';
import type { Source } from '../../../src/jupyterlab/focus';
import { FakeNotebook } from './fakeSource';

vi.mock('@jupyterlab/notebook', async () => (await import('./fakeSource')).fakeNotebookModule());
vi.mock('@jupyterlab/console', async () => (await import('./fakeSource')).fakeConsoleModule());

const cell = (id: string, code: string, type = 'code') => ({
  model: { id, type, sharedModel: { getSource: () => code } },
});

test('the cell whose code fits is found in notebooks and consoles, and no text cell', () => {
  const notebook = Object.assign(new FakeNotebook(), {
    content: { widgets: [cell('a', 'y = fc(x)', 'markdown'), cell('b', 'x = 1')] },
  }) as unknown as Source;
  const console = { console: { cells: [cell('c', 'y = fc(x)')][Symbol.iterator]() } } as unknown as Source;
  expect(cellWith([notebook], (code) => code === 'x = 1')).toBe('b');
  expect(cellWith([notebook], (code) => code === 'y = fc(x)')).toBeNull();
  expect(cellWith([notebook, console], (code) => code === 'y = fc(x)')).toBe('c');
});
