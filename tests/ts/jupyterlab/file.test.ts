import type { JupyterFrontEnd } from '@jupyterlab/application';
import { PageConfig } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { revealFile, serverPath } from '../../../src/jupyterlab/file';
import { FakeEditor } from './fakeEditor';

describe('a path below the root', () => {
  test.each([
    ['/home/a/files/x/layers.py', ['/home/a/files'], 'x/layers.py'],
    ['/home/a/files/layers.py', ['/home/a/files/'], 'layers.py'],
    ['/tmp/layers.py', ['/'], 'tmp/layers.py'],
    ['/private/tmp/layers.py', ['/tmp', '/private/tmp'], 'layers.py'],
    ['C:\\Users\\a\\x\\layers.py', ['C:\\Users\\a'], 'x/layers.py'],
  ])('%s is known', (file, roots, path) => expect(serverPath(file, roots)).toBe(path));

  test.each([
    ['/tmp/x/other/files/layers.py', ['/home/a/files']],
    ['/home/a/files2/layers.py', ['/home/a/files']],
    ['/tmp/home/a/files/layers.py', ['/home/a/files']],
    ['/home/a/files\\x/layers.py', ['/home/a/files/x']],
    ['/home/a/layers.py', []],
  ])('%s lies elsewhere', (file, roots) => expect(serverPath(file, roots)).toBeNull());
});

const TEXT = 'import torch\nfc = torch.nn.Linear(2, 3)\ny = fc(x)\n';
const PLACE = { line: 3, source: 'y = fc(x)' };

/** A page of a server whose part tells this, with one file, `x/layers.py`. */
function server({ roots, text = TEXT, serverRoot = '' }: { roots?: string[]; text?: string; serverRoot?: string }) {
  const about = { version: '0.1.0', protocol: 1, roots };
  const response = roots ? new Response(JSON.stringify(about)) : new Response('', { status: 404 });
  vi.spyOn(ServerConnection, 'makeRequest').mockResolvedValue(response);
  vi.spyOn(PageConfig, 'getOption').mockImplementation((name) => (name === 'serverRoot' ? serverRoot : ''));
  const editor = new FakeEditor(text);
  const opened: string[] = [];
  const get = async (path: string) => {
    if (path !== 'x/layers.py') throw new Error('404');
    return { content: text };
  };
  const execute = async (_: string, { path }: { path: string }) => {
    opened.push(path);
    return { context: { ready: Promise.resolve() }, content: { editor } };
  };
  const commands = { hasCommand: () => true, execute };
  const serviceManager = { contents: { get }, serverSettings: { baseUrl: '/' } };
  const app = { commands, serviceManager } as unknown as JupyterFrontEnd;
  return { opened, editor, reveal: (file: string, place = PLACE) => revealFile(app, file, place) };
}

afterEach(() => vi.restoreAllMocks());

describe('a file of the kernel', () => {
  test('under the root is opened at its line', async () => {
    const { opened, editor, reveal } = server({ roots: ['/home/a/files'] });
    expect(await reveal('/home/a/files/x/layers.py')).toBe(true);
    expect([opened, editor.selected]).toEqual([['x/layers.py'], 'y = fc(x)']);
  });

  test.each([
    ['elsewhere', '/tmp/files/x/layers.py'],
    ['that is gone', '/home/a/files/x/gone.py'],
  ])('%s is not opened', async (_, file) => {
    const { opened, reveal } = server({ roots: ['/home/a/files'], serverRoot: '~/files' });
    expect([await reveal(file), opened]).toEqual([false, []]);
  });

  test('that has not got the line is another one, and is not opened', async () => {
    const { opened, reveal } = server({ roots: ['/home/a/files'], text: 'import torch\n\nprint(1)\n' });
    expect([await reveal('/home/a/files/x/layers.py'), opened]).toEqual([false, []]);
  });

  test.each([
    ['~/files', false],
    ['/home/a/files', true],
    ['', false],
  ])('of a server without our part is found where the page knows its root: "%s"', async (serverRoot, found) => {
    expect(await server({ serverRoot }).reveal('/home/a/files/x/layers.py')).toBe(found);
  });

  test('of a server that shows none of its disk is not looked for', async () => {
    const { opened, reveal } = server({ roots: [], serverRoot: '/home/a/files' });
    expect([await reveal('/home/a/files/x/layers.py'), opened]).toEqual([false, []]);
  });
});
