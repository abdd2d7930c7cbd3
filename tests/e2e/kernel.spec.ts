import { exercise, expect, notebook, test } from './lab';

test('a restart clears the panel, and it works again', async ({ lab }) => {
  await lab.open('linear_by_hand.ipynb', exercise());
  await lab.runAll();
  await expect(lab.call(1)).toBeVisible();
  await lab.restartKernel();
  await expect(lab.panel).toContainText('Run a cell that calls nn.Linear');
  await expect(lab.call(1)).toBeHidden();
  await lab.runAll();
  await expect(lab.call(1)).toContainText('identical');
  await expect(lab.counts).toContainText('1 call');
});

test('restart and run all misses no call', async ({ lab, page }) => {
  await lab.open(
    'calls.ipynb',
    notebook(['import torch', 'fc = torch.nn.Linear(2, 3)\nfor _ in range(5): fc(torch.ones(1, 2))']),
  );
  await lab.runAll();
  await expect(lab.counts).toContainText('5 calls');
  await lab.command('notebook:restart-run-all');
  await page.getByRole('button', { name: 'Confirm Kernel Restart' }).click();
  await expect(lab.panel).toContainText('Run a cell that calls nn.Linear');
  await expect(lab.counts).toContainText('5 calls');
});

test('a page loaded anew while a cell runs has every call once the cell has ended', async ({ lab, page }) => {
  const slowly = `import time
for i in range(60):
    fc(torch.ones(1, 2))
    time.sleep(0.15)
print('the cell has ended')`;
  await lab.open('slow.ipynb', notebook(['import torch; fc = torch.nn.Linear(2, 3)', slowly]));
  await lab.startAll();
  await expect(lab.counts).toContainText(/^[1-9]\d calls/);
  await page.reload();
  await lab.openPanel();
  await expect(lab.counts).toContainText('60 calls');
  await expect(lab.row(60)).toBeVisible();
});

test('the watch is switched off and on, and cleared', async ({ lab }) => {
  await lab.open(
    'switch.ipynb',
    notebook(['import torch; fc = torch.nn.Linear(2, 3)', 'y = fc(torch.ones(1, 2)); print("ran", y.shape)']),
  );
  await lab.runAll();
  await expect(lab.counts).toContainText('1 call');

  await lab.panel.getByRole('button', { name: 'Off' }).click();
  await expect(lab.panel.getByRole('status', { name: 'Watch: off' })).toBeVisible();
  await lab.runInNewCell('unseen = fc(torch.ones(4, 2)); print("unseen", "ran")');
  await expect(lab.page.getByText('unseen ran')).toBeVisible();

  await lab.panel.getByRole('button', { name: 'On' }).click();
  await expect(lab.panel.getByRole('status', { name: 'Watch: watching' })).toBeVisible();
  await lab.runInNewCell('seen = fc(torch.ones(5, 2))');
  await expect(lab.counts).toContainText('2 calls');

  await lab.panel.getByRole('button', { name: 'Clear' }).click();
  await expect(lab.call(1)).toBeHidden();
  await lab.runInNewCell('again = fc(torch.ones(6, 2))');
  await expect(lab.counts).toContainText('1 call');
});

test('while a cell runs, the switches still answer', async ({ lab }) => {
  await lab.open(
    'busy.ipynb',
    notebook(['import torch; fc = torch.nn.Linear(2, 3); fc(torch.ones(1, 2))', 'import time; time.sleep(600)']),
  );
  await lab.startAll();
  await expect(lab.counts).toContainText('1 call');
  await lab.panel.getByRole('button', { name: 'Off' }).click();
  await expect(lab.panel.getByRole('status', { name: 'Watch: off' })).toBeVisible({ timeout: 4000 });
});
