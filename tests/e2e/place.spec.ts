import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, notebook, test } from './lab';
import { theServer } from './server';

const layers = (input: string) => `import torch\n\nfc = torch.nn.Linear(2, 3)\ny = fc(${input})\n`;
const imports = (folder: string) =>
  notebook([`import sys; sys.path.insert(0, ${JSON.stringify(folder)})\nimport layers`]);

test('the way to a file under the root leads to its line', async ({ lab, page }) => {
  const { files } = theServer();
  mkdirSync(join(files, 'lib'));
  writeFileSync(join(files, 'lib/layers.py'), layers('torch.ones(1, 2)'));
  await lab.open('file.ipynb', imports(join(files, 'lib')));
  await lab.runAll();
  await lab.panel.getByRole('button', { name: 'layers.py:4' }).click();
  await expect(lab.tab('layers.py')).toBeVisible();
  await expect.poll(() => page.evaluate(() => window.getSelection()?.toString())).toBe('y = fc(torch.ones(1, 2))');
});

test('a file elsewhere is not taken for one of the same name under the root', async ({ lab }) => {
  const elsewhere = mkdtempSync(join(tmpdir(), 'torchtwin-e2e-'));
  mkdirSync(join(elsewhere, 'files'));
  writeFileSync(join(elsewhere, 'files/layers.py'), layers('torch.ones(5, 2)'));
  writeFileSync(join(theServer().files, 'layers.py'), layers('torch.ones(6, 2)'));
  await lab.open('decoy.ipynb', imports(join(elsewhere, 'files')));
  await lab.runAll();
  await lab.panel.getByRole('button', { name: 'layers.py:4' }).click();
  await expect(lab.panel).toContainText(/not found any more/i);
  await expect(lab.tab('layers.py')).toHaveCount(0);
  rmSync(elsewhere, { recursive: true });
});
