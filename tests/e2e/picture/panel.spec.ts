import { join } from 'node:path';

import type { Page } from '@playwright/test';

import { exercise, expect, test } from '../lab';

/** Draws the panel's left edge to the left. */
async function widen(page: Page, by: number): Promise<void> {
  const edge = await page.locator('#jp-right-stack').boundingBox();
  if (!edge) return;
  await page.mouse.move(edge.x - 2, 500);
  await page.mouse.down();
  await page.mouse.move(edge.x - by, 500, { steps: 5 });
  await page.mouse.up();
}

/** Writes docs/panel.png: the exercise in JupyterLab, run, with the call opened and an element chosen. */
test('docs/panel.png', async ({ lab, page }) => {
  await lab.open('linear_by_hand.ipynb', exercise());
  await lab.runAll();
  await lab.panel.getByRole('button', { name: /^Tensors/ }).click();
  await lab.call(1).getByRole('button', { name: 'fc', exact: true }).click();
  await lab
    .call(1)
    .getByRole('button', { name: /^fc_out\[0, 1\]/ })
    .click();
  await lab.command('application:toggle-left-area');
  await page.locator('.jp-Cell').nth(3).scrollIntoViewIfNeeded();
  await widen(page, 90);
  await expect(lab.call(1)).toContainText('= 682');
  await page.screenshot({ path: join(__dirname, '../../../docs/panel.png') });
});
