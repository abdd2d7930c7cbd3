import { expect, type Lab, notebook, test } from './lab';

const SETUP = `import torch
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(4, 8)
        self.fc2 = nn.Linear(8, 2)
net = Net()
x = torch.ones(3, 4)`;
const DEFINE = `def forward(net, batch):
    hidden = net.fc1(batch)
    active = hidden.relu()
    return net.fc2(active)`;
const RUN = 'y = forward(net, x)\nz = y @ torch.ones(2, 5)';

/** A notebook of these cells, the first of them run, and the debugger on. */
async function debugging(lab: Lab, ...cells: string[]): Promise<void> {
  await lab.open('debugged.ipynb', notebook(cells));
  await lab.runCell(0);
  await lab.switchDebuggerOn();
}

/** The kernel stands before the layer that the function returns. */
async function standBeforeTheSecondLayer(lab: Lab): Promise<void> {
  await debugging(lab, SETUP, DEFINE, RUN);
  await lab.breakAt(1, 4);
  await lab.runCell(1);
  await lab.startCell(2);
  await lab.seePause();
}

const next = (lab: Lab, words: string) => lab.paused.getByRole('article', { name: `${words} comes next` });

test('what a line is about to do is told before it runs', async ({ lab }) => {
  await standBeforeTheSecondLayer(lab);
  const product = next(lab, 'net.fc2(active)');
  await expect(product.getByTitle('active @ net.fc2.weight.T + net.fc2.bias')).toHaveText(
    'active[3, 8]@net.fc2.weight.T[8, 2]+net.fc2.bias[2]→output[3, 2]',
  );
  await expect(lab.paused).toContainText('at cell [2], line 4 in forward');
  await expect(lab.paused.getByRole('row', { name: /^batch \[3, 4\]/ })).toContainText(
    'min 1 · max 1 · mean 1 · 0 NaN',
  );
  await expect(lab.paused.getByRole('row', { name: /^x \[3, 4\]/ })).toBeVisible();
  await expect(lab.watch('paused')).toBeVisible();
});

test('another frame of the call stack is another section; a step moves on, and the end clears it', async ({ lab }) => {
  await standBeforeTheSecondLayer(lab);
  await lab.chooseFrame('<module>');
  await expect(lab.paused).toContainText('at cell [3], line 1');
  await expect(lab.paused).toContainText('y = forward(net, x)');
  await expect(lab.paused.getByRole('row', { name: /^batch/ })).toHaveCount(0);
  await lab.chooseFrame('forward');
  await expect(next(lab, 'net.fc2(active)')).toBeVisible();
  await lab.command('debugger:next');
  await expect(next(lab, 'y @ torch.ones(2, 5)')).toContainText('[3, 2]');
  await lab.command('debugger:continue');
  await expect(lab.paused).toHaveCount(0);
  await expect(lab.counts).toContainText('2 calls');
});

test('expressions are evaluated in the frame, and record no calls', async ({ lab }) => {
  await standBeforeTheSecondLayer(lab);
  await expect(lab.counts).toContainText('1 call');
  const enter = async (text: string) => {
    await lab.paused.getByLabel('Evaluate in this frame').fill(text);
    await lab.page.keyboard.press('Enter');
  };
  await enter('net.fc1(batch) * 0 + 2');
  await expect(lab.paused.getByRole('table', { name: '3 rows of elements' })).toContainText('2');
  await expect(lab.paused).toContainText('[3, 8] float32 · requires grad · min 2 · max 2 · mean 2 · 0 NaN');
  await enter('hidden.shape');
  await expect(lab.paused).toContainText('torch.Size([3, 8])');
  await enter('nobody');
  await expect(lab.paused).toContainText("NameError: name 'nobody' is not defined");
  await enter('hidden +* 2');
  await expect(lab.paused).toContainText(/SyntaxError: .*, at character 9/);
  await lab.page.keyboard.press('ArrowUp');
  await lab.page.keyboard.press('ArrowUp');
  await expect(lab.paused.getByLabel('Evaluate in this frame')).toHaveValue('nobody');
  await lab.command('debugger:continue');
  await expect(lab.paused).toHaveCount(0);
  await expect(lab.counts).toContainText('2 calls');
});

test('a long evaluation is no longer waited for, and its end is told', async ({ lab }) => {
  await standBeforeTheSecondLayer(lab);
  await lab.paused.getByLabel('Evaluate in this frame').fill('sum(i for i in iter(int, 1))');
  await lab.page.keyboard.press('Enter');
  await lab.paused.getByRole('button', { name: 'Give up' }).click();
  await expect(lab.paused).toContainText('No longer waited for.');
  await expect(lab.paused).toContainText('It has ended by now.');
  await expect(next(lab, 'net.fc2(active)')).toBeVisible();
});

test('a shape error is told before it is raised', async ({ lab, page }) => {
  await debugging(lab, SETUP, 'hidden = net.fc1(x)\ny = net.fc2(hidden.T)');
  await lab.breakAt(1, 2);
  await lab.startCell(1);
  await lab.seePause();
  const failing = lab.paused.getByRole('article', { name: 'net.fc2(hidden.T) will raise' });
  await expect(failing).toContainText('will raise RuntimeError');
  await expect(failing).toContainText(/3 features.*takes 8/);
  const cell = page.locator('.jp-Notebook .jp-Cell').nth(1);
  await expect(cell.locator('.jp-OutputArea-output')).toHaveCount(0);
  const told = (await failing.locator('.jp-Torchtwin-raised').textContent()) ?? '';
  await lab.command('debugger:continue');
  await expect(cell).toContainText(told);
  await expect(lab.paused).toHaveCount(0);
});

test('a page that is reloaded meanwhile shows the same', async ({ lab, page }) => {
  await standBeforeTheSecondLayer(lab);
  await page.reload();
  await lab.seePause();
  await expect(next(lab, 'net.fc2(active)')).toContainText('[3, 8]');
  await lab.command('debugger:continue');
  await expect(lab.paused).toHaveCount(0);
});

test.describe('a restart of the kernel', () => {
  // JupyterLab reads the variables of the frame, and nobody there catches what becomes of that.
  test.use({ expectedErrors: /^Error: Canceled future for debug_request/ });

  test('clears it', async ({ lab }) => {
    await standBeforeTheSecondLayer(lab);
    await expect(next(lab, 'net.fc2(active)')).toBeVisible();
    await lab.restartKernel();
    await expect(lab.paused).toHaveCount(0);
  });
});

test('the way to the line leads into its cell', async ({ lab, page }) => {
  await standBeforeTheSecondLayer(lab);
  await lab.paused.getByRole('button', { name: 'cell [2], line 4' }).click();
  await expect.poll(() => page.evaluate(() => window.getSelection()?.toString())).toBe('    return net.fc2(active)');
});

test('a line of a %%twin cell is told as any other', async ({ lab }) => {
  await debugging(lab, SETUP, '%%twin\nhidden = net.fc1(x)\ny = net.fc2(hidden)');
  await lab.breakAt(1, 3);
  await lab.startCell(1);
  await lab.seePause();
  await expect(lab.paused).toContainText('line 3');
  await expect(next(lab, 'net.fc2(hidden)')).toContainText('[3, 8]');
});

test('another notebook in focus has no pause of this one', async ({ lab }) => {
  await standBeforeTheSecondLayer(lab);
  await lab.upload('other.ipynb', notebook(['1 + 1']));
  await lab.command('docmanager:open', { path: `${lab.folder}/other.ipynb` });
  await expect(lab.panel).toContainText('other.ipynb');
  await expect(lab.paused).toHaveCount(0);
  await lab.tab('debugged.ipynb').click();
  await lab.seePause();
  await expect(next(lab, 'net.fc2(active)')).toBeVisible();
});

test('a kernel without Torchtwin is said to tell no more', async ({ lab }) => {
  await lab.open('bare.ipynb', notebook(['a = 1\nb = 2'], 'bare'));
  await lab.switchDebuggerOn();
  await lab.breakAt(0, 2);
  await lab.startCell(0);
  await lab.seePause();
  await expect(lab.paused).toContainText('Torchtwin isn’t installed in this kernel, so nothing more is known');
  await expect(lab.paused).toContainText('line 2');
});
