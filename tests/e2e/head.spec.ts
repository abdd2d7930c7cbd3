import { expect, notebook, test } from './lab';

const CALL = 'import torch; fc = torch.nn.Linear(2, 3); y = fc(torch.ones(1, 2))';

test('the head follows a notebook to its new name', async ({ lab, page }) => {
  await lab.open('before.ipynb', notebook([CALL]));
  await lab.runAll();
  await expect(lab.panel).toContainText('before.ipynb');
  await lab.command('docmanager:rename');
  const name = page.getByRole('dialog').getByRole('textbox');
  await name.fill('after.ipynb');
  await name.press('Enter');
  await expect(lab.panel).toContainText('after.ipynb');
});

test('a long cell is told beside the watch', async ({ lab }) => {
  await lab.open('long.ipynb', notebook([CALL, 'import time; time.sleep(600)']));
  await lab.startAll();
  await expect(lab.watch('watching, kernel busy')).toBeVisible();
});

test('a Python kernel whose spec names no language is watched', async ({ lab }) => {
  await lab.open('unnamed.ipynb', notebook([CALL], 'unnamed'));
  await lab.runAll();
  await expect(lab.counts).toContainText('1 call');
});

test('an unloaded extension is offered to be loaded again', async ({ lab }) => {
  await lab.open('unload.ipynb', notebook([CALL]));
  await lab.runAll();
  await expect(lab.counts).toContainText('1 call');
  await lab.runInNewCell('%unload_ext torchtwin');
  await expect(lab.watch('not loaded')).toBeVisible();
  await lab.panel.getByRole('button', { name: 'Load' }).click();
  await expect(lab.watch('watching')).toBeVisible();
});
