import type { Kernel, KernelMessage } from '@jupyterlab/services';

import type { KernelStatus } from '../panel/host';
import type { Mode } from '../protocol';

const INSTALL = '%pip install torchtwin';

const EXTENSIONS = '__import__("IPython").get_ipython().extension_manager';
const INSTALLED = '__import__("importlib.util").util.find_spec("torchtwin") is not None';

/** Expressions, so that nothing is printed, counted or left in the user's namespace; both give a word or None. */
const PROBE = `"loaded" if "torchtwin" in ${EXTENSIONS}.loaded else "installed" if ${INSTALLED} else None`;
const load = (begin: string) => `(${EXTENSIONS}.load_extension("torchtwin") or ${begin}) if ${INSTALLED} else None`;
/** Nothing where it was loaded before: there the mode is what somebody has chosen since. */
const begin = (mode: Mode | null) =>
  mode ? `(__import__("torchtwin").watch(mode="${mode}") and "loaded")` : '"loaded"';

const STATUS: Record<string, KernelStatus> = {
  "'loaded'": { type: 'ready' },
  "'already loaded'": { type: 'ready' },
  "'installed'": { type: 'not-loaded' },
  None: { type: 'missing', install: INSTALL },
};

/**
 * Loads the helper as `%load_ext torchtwin` does, without a trace in the notebook. Waits for a busy kernel. With a mode the
 * watch begins in it, in the same request, so that cells which follow at once run in it and can choose another.
 */
export function loadHelper(kernel: Kernel.IKernelConnection, mode: Mode | null = null): Promise<KernelStatus> {
  return evaluate(kernel, load(begin(mode)));
}

/** Looks whether the helper is there, and changes nothing. */
export function probeHelper(kernel: Kernel.IKernelConnection): Promise<KernelStatus> {
  return evaluate(kernel, PROBE);
}

async function evaluate(kernel: Kernel.IKernelConnection, expression: string): Promise<KernelStatus> {
  const future = kernel.requestExecute({
    code: '',
    silent: true,
    store_history: false,
    allow_stdin: false,
    stop_on_error: false,
    user_expressions: { torchtwin: expression },
  });
  const reply = await future.done;
  return reply ? statusOf(reply.content) : { type: 'failed', message: 'The kernel gave no answer.' };
}

export function statusOf(content: KernelMessage.IExecuteReplyMsg['content']): KernelStatus {
  if (content.status !== 'ok') {
    return { type: 'failed', message: 'The kernel gave up the request.' };
  }
  const value = field(content.user_expressions, 'torchtwin');
  const word = field(field(value, 'data'), 'text/plain');
  return STATUS[String(word)] ?? { type: 'failed', message: failure(value) };
}

function failure(value: unknown): string {
  const name = field(value, 'ename');
  return name === undefined ? 'The helper could not be loaded.' : `${name}: ${field(value, 'evalue')}`;
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null
    ? Object.entries(value).find(([key]) => key === name)?.[1]
    : undefined;
}
