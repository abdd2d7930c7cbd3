import { expect, type Lab, notebook, test } from './lab';

const SETUP = 'import torch; fc = torch.nn.Linear(2, 3); y = fc(torch.ones(1, 2))';

const select = (lab: Lab) => lab.panel.getByRole('combobox', { name: 'Calls that are checked' });

/** Runs `%twin`, and waits for what it says of the mode. */
async function expectKernelToSay(lab: Lab, mode: string): Promise<void> {
  await lab.runInNewCell('%twin');
  await expect(
    lab.page
      .locator('.jp-OutputArea-output')
      .filter({ hasText: `mode ${mode}:` })
      .last(),
  ).toBeVisible();
}

async function open(lab: Lab): Promise<void> {
  await lab.open('mode.ipynb', notebook([SETUP]));
  await lab.runAll();
  await expect(lab.counts).toContainText('1 call');
  await expect(select(lab)).toHaveValue('auto');
}

test('a mode chosen in the head is the kernel’s, and its calls are checked so', async ({ lab }) => {
  await open(lab);
  await select(lab).selectOption('every');
  await expectKernelToSay(lab, 'every');
  await lab.runInNewCell('for _ in range(40): y = fc(torch.ones(4, 2))');
  await expect(lab.row(40)).toContainText(/all (identical|rounding only)/);
  await expect(lab.row(40)).not.toContainText('checked');

  await select(lab).selectOption('shapes');
  await expectKernelToSay(lab, 'shapes');
  await lab.runInNewCell('for _ in range(30): y = fc(torch.ones(5, 2))');
  await expect(lab.row(30)).toContainText('none checked: in mode `shapes` calls are recorded only');
  await expect(lab.counts).toContainText('30 unchecked');

  await select(lab).selectOption('auto');
  await expectKernelToSay(lab, 'auto');
  await lab.runInNewCell('y = fc(torch.ones(6, 2))');
  await expect(lab.call(72)).toContainText(/identical|rounding/);
});

test('the head shows the mode that the user’s own code has chosen', async ({ lab }) => {
  await open(lab);
  await lab.runInNewCell('%twin mode every');
  await expect(select(lab)).toHaveValue('every');
  await lab.runInNewCell('import torchtwin; torchtwin.watch(mode="shapes")');
  await expect(select(lab)).toHaveValue('shapes');
});

test('a mode that is chosen twice stays, and nothing is lost or counted twice', async ({ lab }) => {
  await open(lab);
  for (const _ of [1, 2]) {
    await select(lab).selectOption('every');
    await expectKernelToSay(lab, 'every');
    await expect(select(lab)).toHaveValue('every');
  }
  await expect(lab.panel.getByRole('alert')).toHaveText('');
  await lab.runInNewCell('for _ in range(20): y = fc(torch.ones(4, 2))');
  await expect(lab.row(20)).toContainText(/all (identical|rounding only)/);
  await expect(lab.counts).toContainText('21 calls');
  await expect(lab.counts).toContainText('21 agree');
});

test.describe('after a restart', () => {
  const restarted = (lab: Lab) => expect(lab.panel).toContainText('Run a cell that calls nn.Linear');

  test('a mode that was chosen in the head still holds, from the first cell on', async ({ lab }) => {
    const ask = 'from torchtwin.kernel.session import session; print("begins in", session.mode)';
    await lab.open('kept.ipynb', notebook([ask, SETUP]));
    await lab.runAll();
    await expect(lab.page.getByText('begins in auto')).toBeVisible();
    await select(lab).selectOption('shapes');
    await expectKernelToSay(lab, 'shapes');
    await lab.command('notebook:restart-run-all');
    await lab.page.getByRole('button', { name: 'Confirm Kernel Restart' }).click();
    await expect(lab.page.getByText('begins in shapes')).toBeVisible();
    await expect(select(lab)).toHaveValue('shapes');
    await expect(lab.call(1)).toContainText('unchecked');
    await lab.restartKernel();
    await restarted(lab);
    await expectKernelToSay(lab, 'shapes');
  });

  test('a mode that the user’s own code chooses wins, and is not overridden later', async ({ lab }) => {
    const choose = 'import torchtwin; torchtwin.watch(mode="shapes")';
    await lab.open('code.ipynb', notebook([choose, SETUP]));
    await lab.runAll();
    await expect(select(lab)).toHaveValue('shapes');
    await select(lab).selectOption('every');
    await expectKernelToSay(lab, 'every');
    await lab.command('notebook:restart-run-all');
    await lab.page.getByRole('button', { name: 'Confirm Kernel Restart' }).click();
    await restarted(lab);
    await expect(lab.counts).toContainText('1 unchecked');
    await expect(select(lab)).toHaveValue('shapes');
    await expectKernelToSay(lab, 'shapes');
    await lab.restartKernel();
    await restarted(lab);
    await expectKernelToSay(lab, 'auto');
  });
});

test('a mode that is chosen while a cell runs holds for the rest of it', async ({ lab }) => {
  const slowly = `import time
for i in range(400):
    y = fc(torch.ones(4, 2))
    time.sleep(0.01)
    if torchtwin_mode() == 'shapes': break
for _ in range(10): y = fc(torch.ones(5, 2))`;
  const ask = 'from torchtwin.kernel.session import session; torchtwin_mode = lambda: session.mode';
  await lab.open('live.ipynb', notebook([`${SETUP}; ${ask}\n%twin mode every`, slowly]));
  await lab.startAll();
  await expect(lab.counts).toContainText(/[1-9]\d calls/);
  await select(lab).selectOption('shapes');
  await expect(select(lab)).toHaveValue('shapes');
  await expect(lab.row(10)).toContainText('none checked: in mode `shapes` calls are recorded only');
});
