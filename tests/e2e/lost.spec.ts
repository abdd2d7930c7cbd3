import { expect, Lab, notebook, test } from './lab';
import { startServer } from './server';

const CALL = 'import torch; fc = torch.nn.Linear(2, 3); y = fc(torch.ones(1, 2))';

test('a lost server is shown as such, and nothing offered that needs it', async ({ page, request }) => {
  const server = await startServer();
  try {
    const lab = new Lab(page, request, server);
    await lab.open('lost.ipynb', notebook([CALL]));
    await lab.runAll();
    await expect(lab.counts).toContainText('1 call');
    await expect(lab.watch('watching')).toBeVisible();
    await server.stop();
    await expect(lab.watch('watching')).toBeHidden();
    for (const name of ['Off', 'Clear']) {
      await expect(lab.panel.getByRole('button', { name, disabled: false })).toHaveCount(0);
    }
  } finally {
    await server.stop();
  }
});

test('a kernel that was shut down elsewhere is not watched any more', async ({ lab }) => {
  await lab.open('dead.ipynb', notebook([CALL]));
  await lab.runAll();
  await expect(lab.watch('watching')).toBeVisible();
  await lab.leave();
  await expect(lab.watch('watching')).toBeHidden();
});
