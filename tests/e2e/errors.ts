import type { BrowserContext, ConsoleMessage } from '@playwright/test';

/** What goes wrong in JupyterLab 4.6 and Notebook 7.6 by themselves. */
const KNOWN = [
  // Its debugger asks the kernel about itself, and is interrupted by a restart, or by another notebook in focus.
  /^Could not restore the debugger state: (Canceled future|Could not start the debugger: undefined)/,
  /^Could not restore the debugger state: Cannot read properties of undefined \(reading 'stackFrames'\)/,
  // It knows only the comms that it has created; ours is closed by a helper that is unloaded.
  /^Comm not found for comm id/,
  // Notebook 7 reads settings that are not loaded yet, and gives a command that it has not got. Without us, too.
  /^TypeError: Cannot read properties of undefined \(reading 'schema'\)\s+at \S+notebook_core/,
  /^Error: Command 'filebrowser:open-path' not registered/,
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
