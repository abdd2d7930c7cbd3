import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const ROOT = resolve(__dirname, '../..');
const BIN = join(ROOT, '.venv/bin');

/** Runs where the package cannot be found, as in an environment in which nobody has installed it. */
const BARE = `import os, sys
sys.path = [path for path in sys.path if not os.path.isdir(os.path.join(path or '.', 'torchtwin'))]
from ipykernel.kernelapp import launch_new_instance
launch_new_instance()`;

/** Starts a real JupyterLab, which carries Notebook 7 too, on a free port and in folders of its own. */
export default async function globalSetup(): Promise<() => Promise<void>> {
  const scratch = mkdtempSync(join(tmpdir(), 'torchtwin-e2e-'));
  addBareKernel(join(scratch, 'data/kernels/bare'));
  askForNoNews(join(scratch, 'config/lab/user-settings/@jupyterlab/apputils-extension'));
  const server = start(scratch);
  const address = await addressOf(server, join(scratch, 'runtime'));
  process.env.TORCHTWIN_URL = address.url;
  process.env.TORCHTWIN_TOKEN = address.token;
  return async () => {
    await stop(server);
    rmSync(scratch, { recursive: true, force: true });
  };
}

function addBareKernel(folder: string): void {
  mkdirSync(folder, { recursive: true });
  const argv = [join(BIN, 'python'), '-c', BARE, '-f', '{connection_file}'];
  writeFileSync(join(folder, 'kernel.json'), JSON.stringify({ argv, display_name: 'Bare', language: 'python' }));
}

/** JupyterLab's first question to a new user would lie over the panel. */
function askForNoNews(folder: string): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'notification.jupyterlab-settings'), '{"fetchNews": "false"}');
}

function start(scratch: string): ChildProcess {
  const files = join(scratch, 'files');
  mkdirSync(files);
  const config = ['--no-browser', '--allow-root', '--ip=127.0.0.1', '--port=0', `--ServerApp.root_dir=${files}`];
  const expose = ['--LabApp.expose_app_in_browser=True', '--JupyterNotebookApp.expose_app_in_browser=True'];
  return spawn(join(BIN, 'jupyter-lab'), [...config, ...expose], {
    cwd: files,
    stdio: process.env.TORCHTWIN_LOG ? 'inherit' : 'ignore',
    env: {
      ...process.env,
      PATH: `${BIN}:${process.env.PATH}`,
      JUPYTER_CONFIG_DIR: join(scratch, 'config'),
      JUPYTER_DATA_DIR: join(scratch, 'data'),
      JUPYTER_RUNTIME_DIR: join(scratch, 'runtime'),
      IPYTHONDIR: join(scratch, 'ipython'),
      OMP_NUM_THREADS: '1',
    },
  });
}

interface Address {
  url: string;
  token: string;
}

/** The server writes where it listens once it does. */
async function addressOf(server: ChildProcess, runtime: string): Promise<Address> {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; ) {
    if (server.exitCode !== null) {
      throw new Error(`JupyterLab ended with ${server.exitCode}; TORCHTWIN_LOG=1 shows its words.`);
    }
    const found = readAddress(runtime, `jpserver-${server.pid}.json`);
    if (found && (await answers(found))) {
      return found;
    }
    await new Promise((done) => setTimeout(done, 200));
  }
  throw new Error('JupyterLab did not start within a minute; TORCHTWIN_LOG=1 shows its words.');
}

function readAddress(folder: string, name: string): Address | null {
  try {
    return readdirSync(folder).includes(name) ? JSON.parse(readFileSync(join(folder, name), 'utf8')) : null;
  } catch {
    return null;
  }
}

async function answers({ url, token }: Address): Promise<boolean> {
  const status = await fetch(`${url}api/status`, { headers: { Authorization: `token ${token}` } }).catch(() => null);
  return status?.ok ?? false;
}

/** SIGTERM lets Jupyter end its kernels first. */
async function stop(server: ChildProcess): Promise<void> {
  const ended = new Promise((done) => server.once('exit', done));
  server.kill('SIGTERM');
  const timer = setTimeout(() => server.kill('SIGKILL'), 20_000);
  await ended;
  clearTimeout(timer);
}
