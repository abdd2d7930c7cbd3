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

export interface Address {
  url: string;
  token: string;
  /** The folder whose files are served. In the server's own words it is `~/files`. */
  files: string;
}

type Listening = Omit<Address, 'files'>;

export interface Server extends Address {
  /** Ends it, with its kernels. */
  stop(): Promise<void>;
}

/** The server that all tests share unless they end it. */
export default async function globalSetup(): Promise<() => Promise<void>> {
  const { stop, ...address } = await startServer();
  process.env.TORCHTWIN_SERVER = JSON.stringify(address);
  return stop;
}

export function theServer(): Address {
  return JSON.parse(process.env.TORCHTWIN_SERVER ?? '{}');
}

/** Starts a real JupyterLab, which carries Notebook 7 too, in folders of its own; on a free port, or in place of one. */
export async function startServer(former?: Address): Promise<Server> {
  const scratch = mkdtempSync(join(tmpdir(), 'torchtwin-e2e-'));
  const files = join(scratch, 'files');
  mkdirSync(files);
  addKernel(join(scratch, 'data/kernels/bare'), ['-c', BARE], {
    display_name: 'Bare',
    language: 'python',
    metadata: { debugger: true },
  });
  addKernel(join(scratch, 'data/kernels/unnamed'), ['-m', 'ipykernel_launcher'], { display_name: 'Names no language' });
  askForNoNews(join(scratch, 'config/lab/user-settings/@jupyterlab/apputils-extension'));
  const server = start(scratch, files, former);
  const address = await addressOf(server, join(scratch, 'runtime'));
  const end = async () => {
    await stop(server);
    rmSync(scratch, { recursive: true, force: true });
  };
  return { ...address, files, stop: end };
}

function addKernel(folder: string, program: string[], spec: object): void {
  mkdirSync(folder, { recursive: true });
  const argv = [join(BIN, 'python'), ...program, '-f', '{connection_file}'];
  writeFileSync(join(folder, 'kernel.json'), JSON.stringify({ argv, ...spec }));
}

/** JupyterLab's first question to a new user would lie over the panel. */
function askForNoNews(folder: string): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'notification.jupyterlab-settings'), '{"fetchNews": "false"}');
}

function start(scratch: string, files: string, former?: Address): ChildProcess {
  const place = former
    ? [`--port=${new URL(former.url).port}`, `--IdentityProvider.token=${former.token}`]
    : ['--port=0'];
  const config = ['--no-browser', '--allow-root', '--ip=127.0.0.1', ...place, `--ServerApp.root_dir=${files}`];
  const expose = ['--LabApp.expose_app_in_browser=True', '--JupyterNotebookApp.expose_app_in_browser=True'];
  return spawn(join(BIN, 'jupyter-lab'), [...config, ...expose], {
    cwd: files,
    stdio: process.env.TORCHTWIN_LOG ? 'inherit' : 'ignore',
    env: {
      ...process.env,
      PATH: `${BIN}:${process.env.PATH}`,
      HOME: scratch,
      JUPYTER_CONFIG_DIR: join(scratch, 'config'),
      JUPYTER_DATA_DIR: join(scratch, 'data'),
      JUPYTER_RUNTIME_DIR: join(scratch, 'runtime'),
      IPYTHONDIR: join(scratch, 'ipython'),
      OMP_NUM_THREADS: '1',
    },
  });
}

/** The server writes where it listens once it does. */
async function addressOf(server: ChildProcess, runtime: string): Promise<Listening> {
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

function readAddress(folder: string, name: string): Listening | null {
  try {
    return readdirSync(folder).includes(name) ? JSON.parse(readFileSync(join(folder, name), 'utf8')) : null;
  } catch {
    return null;
  }
}

async function answers({ url, token }: Listening): Promise<boolean> {
  const status = await fetch(`${url}api/status`, { headers: { Authorization: `token ${token}` } }).catch(() => null);
  return status?.ok ?? false;
}

/** SIGTERM lets Jupyter end its kernels first. Stopping twice is harmless. */
async function stop(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const ended = new Promise((done) => server.once('exit', done));
  server.kill('SIGTERM');
  const timer = setTimeout(() => server.kill('SIGKILL'), 20_000);
  await ended;
  clearTimeout(timer);
}
