import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { type APIRequestContext, test as base, expect, type Locator, type Page } from '@playwright/test';

import { collectErrors } from './errors';
import { type Address, theServer } from './server';

export { expect } from '@playwright/test';

const EXERCISE = join(resolve(__dirname, '../..'), 'examples/linear_by_hand.ipynb');

/** As much of JupyterLab's application as the tests reach for. */
interface App {
  commands: { hasCommand(id: string): boolean; execute(id: string, args?: object): Promise<unknown> };
  shell: { currentWidget: { sessionContext?: { session: { kernel: { id: string } | null } | null } } | null };
}

declare global {
  interface Window {
    jupyterapp: App;
  }
}

export interface Notebook {
  cells: object[];
  metadata: object;
  nbformat: number;
  nbformat_minor: number;
}

/** A notebook of code cells. */
export function notebook(cells: string[], kernel = 'python3'): Notebook {
  return {
    cells: cells.map((source, index) => ({
      cell_type: 'code',
      id: `cell-${index + 1}`,
      source,
      metadata: {},
      outputs: [],
      execution_count: null,
    })),
    metadata: { kernelspec: { name: kernel, display_name: kernel, language: 'python' } },
    nbformat: 4,
    nbformat_minor: 5,
  };
}

export function exercise(): Notebook {
  return JSON.parse(readFileSync(EXERCISE, 'utf8'));
}

/** One person's JupyterLab: a browser page and a folder of its own on the server. */
export class Lab {
  constructor(
    readonly page: Page,
    private readonly request: APIRequestContext,
    private readonly server: Address = theServer(),
  ) {}

  /** What Torchtwin shows beside the notebook. */
  get panel(): Locator {
    return this.page.getByRole('region', { name: 'Torchtwin', exact: true });
  }

  call(id: number, name = 'fc'): Locator {
    return this.panel.getByRole('article', { name: `Call ${id} of ${name}`, exact: true });
  }

  /** The row of a loop's calls. */
  row(calls: number, name = 'fc'): Locator {
    return this.panel.getByRole('article', { name: `${calls.toLocaleString('en-US')} calls of ${name}`, exact: true });
  }

  get counts(): Locator {
    return this.panel.getByRole('group', { name: 'Counts' });
  }

  /** What the panel shows of the frame in which a debugger stands. */
  get paused(): Locator {
    return this.panel.getByRole('region', { name: 'Paused' });
  }

  async upload(name: string, content: Notebook): Promise<void> {
    await this.send('put', 'contents', this.folder, { type: 'directory' });
    await this.send('put', 'contents', `${this.folder}/${name}`, { type: 'notebook', content });
  }

  /** Opens a notebook in JupyterLab, with the panel beside it. */
  async open(name: string, content: Notebook): Promise<void> {
    await this.upload(name, content);
    await this.visit(name);
  }

  /** Opens a notebook that is there already. */
  async visit(name: string, workspace = this.folder): Promise<void> {
    await this.page.goto(this.address(`lab/workspaces/${workspace}/tree/${this.folder}/${name}`));
    await this.settle();
  }

  /** Opens a second notebook on the kernel of the one in sight. */
  async openOnThisKernel(name: string, content: Notebook): Promise<void> {
    await this.upload(name, content);
    const id = await this.page.evaluate(
      () => window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.id ?? null,
    );
    await this.command('docmanager:open', { path: `${this.folder}/${name}`, kernel: { id } });
    await expect(this.page.getByRole('tab', { name })).toBeVisible();
    await this.page.waitForFunction(
      (kernel) => window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.id === kernel,
      id,
    );
  }

  /** The same person's second browser tab. */
  inAnotherTab(page: Page): Lab {
    const other = new Lab(page, this.request, this.server);
    other.folder = this.folder;
    return other;
  }

  tab(name: string): Locator {
    return this.page.getByRole('main').getByRole('tab', { name });
  }

  watch(word: string | RegExp): Locator {
    return this.panel.getByRole('status', { name: typeof word === 'string' ? `Watch: ${word}` : word, exact: true });
  }

  async openInNotebook7(name: string, content: Notebook): Promise<void> {
    await this.upload(name, content);
    await this.page.goto(this.address(`notebooks/${this.folder}/${name}`));
    await this.settle();
  }

  /** JupyterLab drops "Run All" while a notebook has no kernel; from then on nothing may be missed. */
  private async settle(): Promise<void> {
    await this.page.waitForFunction(() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel);
    await this.openPanel();
  }

  async openPanel(): Promise<void> {
    await this.command('torchtwin:open');
    await expect(this.panel).toBeVisible();
  }

  /** Gives a command without waiting for what it leads to. */
  async command(id: string, args: object = {}): Promise<void> {
    await this.page.waitForFunction((name) => window.jupyterapp?.commands.hasCommand(name), id);
    await this.page.evaluate(([name, given]) => void window.jupyterapp.commands.execute(name, given), [
      id,
      args,
    ] as const);
  }

  /** Sets all cells going. */
  startAll(): Promise<void> {
    return this.command('notebook:run-all-cells');
  }

  /** Runs all cells to the end. */
  async runAll(): Promise<void> {
    await this.page.evaluate(async () => {
      await window.jupyterapp.commands.execute('notebook:run-all-cells');
    });
  }

  /** Adds a cell under the last one, types and runs it, as a person does. */
  async runInNewCell(code: string): Promise<void> {
    await this.command('notebook:move-cursor-down');
    await this.command('notebook:insert-cell-below');
    await this.page.locator('.jp-Cell.jp-mod-active').getByRole('textbox').click();
    await this.page.keyboard.insertText(code);
    await this.page.keyboard.press('Shift+Enter');
  }

  /** Runs one cell to its end. */
  async runCell(index: number): Promise<void> {
    await this.activate(index);
    await this.page.evaluate(async () => {
      await window.jupyterapp.commands.execute('notebook:run-cell');
    });
  }

  /** Sets one cell going. */
  async startCell(index: number): Promise<void> {
    await this.activate(index);
    await this.command('notebook:run-cell');
  }

  private async activate(index: number): Promise<void> {
    await this.page.locator('.jp-Notebook .jp-Cell').nth(index).locator('.jp-InputPrompt').click();
  }

  async switchDebuggerOn(): Promise<void> {
    // JupyterLab has it respond to a click only some time after it can be clicked.
    await expect(async () => {
      const off = this.page.getByTitle('Enable Debugger');
      if (await off.isVisible()) await off.click();
      await expect(this.page.getByTitle('Disable Debugger')).toBeVisible({ timeout: 5000 });
    }).toPass();
    await expect(this.page.locator('.cm-breakpoint-gutter').first()).toBeVisible();
  }

  /** Sets a breakpoint beside a line of a cell, as a person does. */
  async breakAt(cell: number, line: number): Promise<void> {
    const gutter = this.page.locator('.jp-Notebook .jp-Cell').nth(cell).locator('.cm-breakpoint-gutter');
    await gutter.locator('.cm-gutterElement').nth(line).click();
    await expect(gutter.locator('.cm-breakpoint-icon')).not.toHaveCount(0);
  }

  /** Waits until the debugger has stopped, and brings the panel to sight, in whose place JupyterLab puts its own. */
  async seePause(): Promise<void> {
    await expect(this.callStack.first()).toBeAttached();
    await this.openPanel();
    await expect(this.paused).toBeVisible();
  }

  /** Chooses a frame in JupyterLab's call stack. */
  async chooseFrame(name: string): Promise<void> {
    await this.page.getByRole('tab', { name: 'Debugger' }).click();
    await this.callStack.filter({ hasText: name }).click();
    await this.openPanel();
  }

  private get callStack(): Locator {
    return this.page.locator('.jp-DebuggerCallstackFrame');
  }

  async restartKernel(): Promise<void> {
    await this.command('kernelmenu:restart');
    await this.page.getByRole('dialog').getByRole('button', { name: 'Confirm Kernel Restart' }).click();
  }

  async set(settings: object): Promise<void> {
    const url = this.address('lab/api/settings/torchtwin:plugin');
    const answer = await this.request.put(url, { data: { raw: JSON.stringify(settings) }, headers: this.headers });
    expect(answer.ok()).toBe(true);
  }

  /** Ends the kernels, so that the next test has the machine for itself. */
  async leave(): Promise<void> {
    const sessions = await this.request.get(this.address('api/sessions'), { headers: this.headers });
    for (const { id } of await sessions.json()) {
      await this.request.delete(this.address(`api/sessions/${id}`), { headers: this.headers });
    }
  }

  private address(path: string): string {
    return `${this.server.url}${path}?token=${this.server.token}`;
  }

  private async send(method: 'put', kind: string, path: string, data: object): Promise<void> {
    const answer = await this.request[method](this.address(`api/${kind}/${path}`), { data, headers: this.headers });
    expect(answer.ok(), await answer.text()).toBe(true);
  }

  private get headers() {
    return { Authorization: `token ${this.server.token}` };
  }

  folder = randomUUID().slice(0, 8);
}

interface Fixtures {
  lab: Lab;
  /** Errors in the browser that belong to what is tested. */
  expectedErrors: RegExp | null;
  noErrors: undefined;
}

export const test = base.extend<Fixtures>({
  expectedErrors: [null, { option: true }],
  noErrors: [
    async ({ context, expectedErrors }, use) => {
      const errors = collectErrors(context, expectedErrors);
      await use(undefined);
      expect(errors, 'errors in the browser').toEqual([]);
    },
    { auto: true },
  ],
  lab: async ({ page, request }, use) => {
    const lab = new Lab(page, request);
    await use(lab);
    await lab.leave();
  },
});
