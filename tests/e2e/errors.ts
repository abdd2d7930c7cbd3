import type { ConsoleMessage, Page } from '@playwright/test';

/** What JupyterLab 4.6 logs as errors by itself. */
const KNOWN = [
  // Its debugger asks the kernel about itself, and is interrupted by a restart.
  /^Could not restore the debugger state: Canceled future/,
  // It knows only the comms that it has created; ours is closed by a helper that is unloaded.
  /^Comm not found for comm id/,
];

/** Gathers, from now on, what went wrong in the page: what nobody caught, and what was logged as an error. */
export function collectErrors(page: Page): string[] {
  const errors: string[] = [];
  const add = (text: string) => {
    if (!KNOWN.some((known) => known.test(text))) errors.push(text);
  };
  page.on('pageerror', (error) => add(`${error.stack ?? error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error') add(textOf(message));
  });
  return errors;
}

function textOf(message: ConsoleMessage): string {
  const { url } = message.location();
  return `${message.text()} (${url})`;
}
