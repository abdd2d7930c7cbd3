import type { Page } from '@playwright/test';
import { exercise, expect, notebook, test } from './lab';
import { theServer } from './server';

const CELLS = notebook([
  'import torch\nfc = torch.nn.Linear(4, 3)\nx = torch.ones(2, 4)',
  'for _ in range(3): y = fc(x)',
  'y.sum().backward()',
]);

test('the server’s own page shows the calls of a running kernel live, and again after a reload', async ({
  lab,
  page,
}) => {
  await lab.open('beside.ipynb', CELLS);
  await lab.runAll();
  await expect(lab.counts).toContainText('3 calls');
  const { url, token } = theServer();
  const own = await page.context().newPage();
  await own.goto(`${url}torchtwin/?token=${token}`);
  const panel = own.locator('.jp-Torchtwin');
  await choose(own, 'beside.ipynb (3 calls)');
  await expect(panel).toContainText('3 calls');
  await expect(own.getByRole('article', { name: '3 calls of fc', exact: true })).toBeVisible();
  await page.bringToFront();
  await lab.runAll();
  await own.bringToFront();
  await expect(panel).toContainText('6 calls');
  await own.reload();
  await expect(own).toHaveTitle('beside.ipynb – Torchtwin');
  await expect(panel).toContainText('6 calls');
  await own.close();
});

test('a kernel that has ended keeps its records on the server’s own page', async ({ lab, page }) => {
  await lab.open('gone.ipynb', exercise());
  await lab.runAll();
  await expect(lab.call(1)).toContainText('identical');
  const { url, token } = theServer();
  const own = await page.context().newPage();
  await own.goto(`${url}torchtwin/?token=${token}`);
  await choose(own, 'gone.ipynb (1 call)');
  await expect(own.locator('.jp-Torchtwin')).toContainText('1 call');
  await page.bringToFront();
  await lab.command('notebook:shutdown-kernel');
  await own.bringToFront();
  await expect(own.getByText('This kernel has ended.')).toBeVisible();
  await expect(own.locator('.jp-Torchtwin')).toContainText('kernel dead');
  await expect(own.getByRole('article', { name: 'Call 1 of fc', exact: true })).toBeVisible();
  await expect(own.getByRole('button', { name: 'Off' })).toBeDisabled();
  await own.close();
});

/** Chooses the kernel whose notebook lies in whatever folder. */
async function choose(own: Page, name: string): Promise<void> {
  const list = own.getByRole('combobox', { name: 'Kernel' });
  await list.selectOption(await list.locator('option', { hasText: name }).getAttribute('value'));
}
