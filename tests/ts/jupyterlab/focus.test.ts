import './dragEvent';
import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Widget } from '@lumino/widgets';
import { describe, expect, test, vi } from 'vitest';
import { Focus } from '../../../src/jupyterlab/focus';
import { FakeNotebook, FakeShell } from './fakeSource';

vi.mock('@jupyterlab/notebook', async () => (await import('./fakeSource')).fakeNotebookModule());
vi.mock('@jupyterlab/console', async () => (await import('./fakeSource')).fakeConsoleModule());

function focused() {
  const shell = new FakeShell();
  const focus = new Focus(shell as unknown as JupyterFrontEnd.IShell);
  const changes = vi.fn();
  focus.changed.connect(changes);
  return { shell, focus, changes };
}

describe('the focus', () => {
  test('goes with the notebook in sight', () => {
    const { shell, focus, changes } = focused();
    const [one, other] = [new FakeNotebook(), new FakeNotebook()];
    shell.show(one);
    shell.show(one);
    shell.show(other);
    expect(focus.current).toBe(other);
    expect(changes).toHaveBeenCalledTimes(2);
  });

  test('stays while a file or nothing is in sight', () => {
    const { shell, focus } = focused();
    const notebook = new FakeNotebook();
    for (const widget of [notebook, new Widget(), null]) shell.show(widget);
    expect(focus.current).toBe(notebook);
  });

  test('finds what was in sight before it', () => {
    const { shell, focus } = focused();
    shell.currentWidget = new FakeNotebook();
    expect(focus.current).toBeNull();
    focus.look();
    expect(focus.current).toBe(shell.currentWidget);
  });

  test('leaves a notebook that is closed for the one then in sight', () => {
    const { shell, focus, changes } = focused();
    const [closed, next] = [new FakeNotebook(), new FakeNotebook()];
    shell.show(closed);
    shell.currentWidget = next;
    closed.dispose();
    expect(focus.current).toBe(next);
    shell.currentWidget = null;
    next.dispose();
    expect(focus.current).toBeNull();
    expect(changes).toHaveBeenCalledTimes(4);
  });

  test('does not move when a notebook out of sight is closed', () => {
    const { shell, focus } = focused();
    const [before, now] = [new FakeNotebook(), new FakeNotebook()];
    for (const widget of [before, now]) shell.show(widget);
    before.dispose();
    expect(focus.current).toBe(now);
  });

  test('follows nothing once it is disposed', () => {
    const { shell, focus, changes } = focused();
    focus.dispose();
    focus.dispose();
    shell.show(new FakeNotebook());
    expect(changes).not.toHaveBeenCalled();
  });
});
