import type { JupyterFrontEnd } from '@jupyterlab/application';
import { PageConfig } from '@jupyterlab/coreutils';

import { askAbout } from './about';
import { type Editor, lineOf, type Place, showPlace } from './editor';

/** Opens a file of the kernel's at a place; false when the server does not show it, or it is not what it was. */
export async function revealFile(app: JupyterFrontEnd, file: string, place: Place): Promise<boolean> {
  const path = serverPath(file, await serverRoots(app));
  if (path === null || !app.commands.hasCommand('docmanager:open') || !(await has(app, path, place))) {
    return false;
  }
  const widget: unknown = await app.commands.execute('docmanager:open', { path, factory: 'Editor' });
  if (!hasEditor(widget) || !place.line) {
    return true;
  }
  await widget.context.ready;
  return showPlace(widget.content.editor, place);
}

/** The path below one of the server's roots; null for a file elsewhere. */
export function serverPath(file: string, roots: string[]): string | null {
  for (const root of roots) {
    const slashes = isWindows(root) ? (path: string) => path.replaceAll('\\', '/') : (path: string) => path;
    const folder = `${slashes(root).replace(/\/$/, '')}/`;
    if (slashes(file).startsWith(folder)) {
      return slashes(file).slice(folder.length);
    }
  }
  return null;
}

function isWindows(root: string): boolean {
  return /^([a-z]:|\\\\)/i.test(root);
}

/** The page itself knows the root as `~/files`, where it lies in the server's home; only the server part knows more. */
async function serverRoots(app: JupyterFrontEnd): Promise<string[]> {
  const about = await askAbout(app.serviceManager.serverSettings);
  return about?.roots ?? [PageConfig.getOption('serverRoot')].filter((root) => root && !root.startsWith('~'));
}

/** Whether the file is there and still has the line. A kernel on another machine may have another file of that name. */
async function has(app: JupyterFrontEnd, path: string, place: Place): Promise<boolean> {
  try {
    const { content } = await app.serviceManager.contents.get(path, { type: 'file', format: 'text', content: true });
    return typeof content === 'string' && (!place.line || lineOf(content.split('\n'), place) !== null);
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
