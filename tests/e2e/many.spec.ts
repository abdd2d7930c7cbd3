import type { Page } from '@playwright/test';

import { expect, notebook, test } from './lab';
import { jsonParts } from './wire';

const LOOP = `for i in range(1, 20_001):
    fc(x)
    if i % 1000 == 0:
        print('user', i)`;

/** The ids of all calls that reach the browser, as they come. */
function recordIds(page: Page): number[] {
  const ids: number[] = [];
  page.on('websocket', (socket) =>
    socket.on('framereceived', ({ payload }) => {
      const content = typeof payload === 'string' ? null : jsonParts(payload).content;
      for (const { event } of content?.data?.envelopes ?? []) {
        if (event.type === 'call') ids.push(event.id);
      }
    }),
  );
  return ids;
}

test('20,000 calls in one cell arrive complete and in order, and none of the output is lost', async ({ lab, page }) => {
  const ids = recordIds(page);
  await lab.open('many.ipynb', notebook(['import torch; fc = torch.nn.Linear(8, 8); x = torch.ones(1, 8)', LOOP]));
  await lab.runAll();
  await expect(lab.counts).toContainText('20,000 calls', { timeout: 90_000 });
  await expect(page.getByText('user 20000')).toBeVisible();

  const firsts = [...new Set(ids)];
  expect(firsts).toEqual(Array.from({ length: 20_000 }, (_, index) => index + 1));
  for (let i = 1000; i <= 20_000; i += 1000) {
    await expect(page.getByRole('main')).toContainText(`user ${i}\n`);
  }
  await expect(page.getByRole('main')).not.toContainText('rate exceeded');
});
