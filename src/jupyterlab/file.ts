import type { JupyterFrontEnd } from '@jupyterlab/application';
import { PageConfig } from '@jupyterlab/coreutils';

import { type Editor, selectLine } from './editor';

/** Opens a file of the kernel's at a line; false when it lies outside the folder that the server shows. */
export async function revealFile(
  app: JupyterFrontEnd,
  file: string,
  line: number | null | undefined,
): Promise<boolean> {
  const path = serverPath(file, PageConfig.getOption('serverRoot'));
  if (path === null || !app.commands.hasCommand('docmanager:open') || !(await exists(app, path))) {
    return false;
  }
  const widget: unknown = await app.commands.execute('docmanager:open', { path, factory: 'Editor' });
  if (hasEditor(widget) && line) {
    await widget.context.ready;
    selectLine(widget.content.editor, line);
  }
  return true;
}

/** The path below the server's root; the server writes its home folder as `~`. */
export function serverPath(file: string, root: string): string | null {
  const folder = `${root.replace(/^~/, '').replace(/\/$/, '')}/`;
  const start = root.startsWith('~') ? file.indexOf(folder) : file.startsWith(folder) ? 0 : -1;
  return start < 0 ? null : file.slice(start + folder.length);
}

async function exists(app: JupyterFrontEnd, path: string): Promise<boolean> {
  try {
    await app.serviceManager.contents.get(path, { content: false });
    return true;
  } catch {
    return false;
  }
}

interface FileWidget {
  context: { ready: Promise<void> };
  content: { editor: Editor };
}

function hasEditor(widget: unknown): widget is FileWidget {
  const [editor, context] = [within(within(widget, 'content'), 'editor'), within(widget, 'context')];
  const used = ['getLine', 'setSelection', 'revealSelection', 'focus'];
  return (
    within(context, 'ready') instanceof Promise && used.every((name) => typeof within(editor, name) === 'function')
  );
}

function within(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
