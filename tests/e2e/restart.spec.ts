import { expect, type Lab, notebook, test } from './lab';

const IMPORT = 'import torch; fc = torch.nn.Linear(2, 3)';
const TWO_CALLS = 'for _ in range(2): fc(torch.ones(1, 2))';
const ONE_CALL = 'import torch; fc = torch.nn.Linear(7, 3); y = fc(torch.ones(1, 7))';

async function confirmRestart(lab: Lab): Promise<void> {
  await lab.page.getByRole('dialog').getByRole('button', { name: 'Confirm Kernel Restart' }).click();
}

test('a restart from a console beside the notebook misses no call', async ({ lab, page }) => {
  await lab.open('a.ipynb', notebook([IMPORT, TWO_CALLS]));
  await lab.runAll();
  await expect(lab.counts).toContainText('2 calls');
  await lab.command('notebook:create-console');
  await expect(lab.tab('a.ipynb')).toHaveCount(2);
  const prompt = page.locator('.jp-CodeConsole-promptCell').getByRole('textbox');
  await prompt.click();
  await lab.restartKernel();
  await expect(lab.panel).toContainText('Run a cell that calls nn.Linear');

  await prompt.click();
  await page.keyboard.insertText(ONE_CALL);
  await page.keyboard.press('Shift+Enter');
  await expect(lab.counts).toContainText('1 call');
  await lab.tab('a.ipynb').first().click();
  await lab.runAll();
  await expect(lab.counts).toContainText('3 calls');
  await lab.panel.getByRole('button', { name: 'Off' }).click();
  await expect(lab.watch('off')).toBeVisible();
});

test('restart and run all from another notebook on the same kernel misses no call', async ({ lab }) => {
  await lab.open('a.ipynb', notebook([IMPORT, TWO_CALLS]));
  await lab.runAll();
  await expect(lab.counts).toContainText('2 calls');
  await lab.openOnThisKernel('b.ipynb', notebook([ONE_CALL, 'for _ in range(4): fc(torch.ones(1, 7))']));
  await lab.command('notebook:restart-run-all');
  await confirmRestart(lab);
  await expect(lab.counts).toContainText('5 calls');
  await lab.tab('a.ipynb').click();
  await expect(lab.counts).toContainText('5 calls');
});

test('a restart from another browser tab is noticed', async ({ lab, page, context }) => {
  await lab.open('a.ipynb', notebook([IMPORT, TWO_CALLS]));
  await lab.runAll();
  await expect(lab.counts).toContainText('2 calls');
  const other = lab.inAnotherTab(await context.newPage());
  await other.visit('a.ipynb', 'another');
  await expect(other.counts).toContainText('2 calls');
  await other.restartKernel();
  await expect(other.panel).toContainText('Run a cell that calls nn.Linear');

  await page.bringToFront();
  await expect(lab.panel).toContainText('Run a cell that calls nn.Linear');
  await lab.runAll();
  await expect(lab.counts).toContainText('2 calls');
  await lab.panel.getByRole('button', { name: 'Off' }).click();
  await expect(lab.watch('off')).toBeVisible();
});
