import { expect, Lab, notebook, test } from './lab';
import { type Server, startServer } from './server';

const CALL = 'import torch; fc = torch.nn.Linear(2, 3); y = fc(torch.ones(1, 2))';

test.describe('a server that ends', () => {
  // What the browser and JupyterLab say of a server that is away, and of a new one that knows nothing of the old.
  test.use({ expectedErrors: /^WebSocket connection to .* failed|^Failed to load resource|Directory not found/ });

  test('is shown as lost with nothing offered; a new one has no such kernel', async ({ page, request }) => {
    const server = await startServer();
    let next: Server | null = null;
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
      next = await startServer(server);
      await expect(lab.watch('no kernel')).toBeVisible({ timeout: 60_000 });
    } finally {
      await server.stop();
      await next?.stop();
    }
  });
});

test('a kernel that was shut down elsewhere is not watched any more', async ({ lab }) => {
  await lab.open('dead.ipynb', notebook([CALL]));
  await lab.runAll();
  await expect(lab.watch('watching')).toBeVisible();
  await lab.leave();
  await expect(lab.watch('watching')).toBeHidden();
});
