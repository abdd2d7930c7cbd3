import type { BrowserContext, ConsoleMessage } from '@playwright/test';

/** What JupyterLab 4.6 logs as errors by itself. */
const KNOWN = [
  // Its debugger asks the kernel about itself, and is interrupted by a restart.
  /^Could not restore the debugger state: Canceled future/,
  // It knows only the comms that it has created; ours is closed by a helper that is unloaded.
  /^Comm not found for comm id/,
];

/** Gathers, from now on, what goes wrong in the browser: what nobody catches, and what is logged as an error. */
export function collectErrors(context: BrowserContext, expected: RegExp | null): string[] {
  const errors: string[] = [];
  const add = (text: string) => {
    if (![...KNOWN, expected].some((known) => known?.test(text))) errors.push(text);
  };
  context.on('weberror', (thrown) => add(`${thrown.error().stack ?? thrown.error()}`));
  context.on('console', (message) => {
    if (message.type() === 'error') add(textOf(message));
  });
  return errors;
}

function textOf(message: ConsoleMessage): string {
  return `${message.text()} (${message.location().url})`;
}
