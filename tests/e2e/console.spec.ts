import { expect, notebook, test } from './lab';

const CALL = 'import torch; fc = torch.nn.Linear(2, 3); y = fc(torch.ones(1, 2))';

test('the panel follows from the notebook to a console and back', async ({ lab, page }) => {
  await lab.open('first.ipynb', notebook([CALL]));
  await lab.runAll();
  await expect(lab.counts).toContainText('1 call');

  await lab.command('console:create', { kernelPreference: { name: 'python3' }, activate: true });
  await expect(page.getByRole('tab', { name: /Console 1/ })).toBeVisible();
  await expect(lab.panel).toContainText('Console 1');
  await expect(lab.panel).toContainText('Run a cell that calls nn.Linear');
  await page.locator('.jp-CodeConsole-promptCell').getByRole('textbox').click();
  await page.keyboard.insertText(`${CALL}; fc(y @ fc.weight)`);
  await page.keyboard.press('Shift+Enter');
  await expect(lab.counts).toContainText('2 calls');

  await page.getByRole('tab', { name: 'first.ipynb' }).click();
  await expect(lab.panel).toContainText('first.ipynb');
  await expect(lab.counts).toContainText('1 call');
});

test('a console on the kernel of a notebook shows and switches the same watch', async ({ lab, page }) => {
  await lab.open('shared.ipynb', notebook([CALL]));
  await lab.runAll();
  await expect(lab.counts).toContainText('1 call');
  await lab.command('notebook:create-console');
  await expect(page.getByRole('tab', { name: /shared.ipynb/ })).toHaveCount(2);
  await expect(lab.counts).toContainText('1 call');

  await page.getByRole('tab', { name: 'shared.ipynb' }).first().getByTitle('Close shared.ipynb').click();
  await page
    .getByRole('dialog')
    .getByRole('button', { name: /discard/i })
    .click();
  await expect(lab.counts).toContainText('1 call');
  await lab.panel.getByRole('button', { name: 'Off' }).click();
  await expect(lab.panel.getByRole('status', { name: 'Watch: off' })).toBeVisible();
});
