import type { Locator, Page } from '@playwright/test';

import { expect, type Lab, notebook, test } from './lab';
import { jsonParts } from './wire';

const SETUP = 'import os, time, torch; fc = torch.nn.Linear(8, 8); x = torch.ones(1, 8)';

/** In the middle the cell waits for a file, so that the panel can be looked at while it runs. */
const LOOP = `for i in range(1, 100_001):
    fc(x)
    if i % 5000 == 0:
        print('user', i)
    while i == 50_000 and not os.path.exists('go.ipynb'):
        time.sleep(0.05)`;

const goOn = (lab: Lab) => lab.upload('go.ipynb', notebook([]));

/** The ids of all calls that reach the browser, whole or in short, as they come. */
function recordIds(page: Page): number[] {
  const ids: number[] = [];
  page.on('websocket', (socket) =>
    socket.on('framereceived', ({ payload }) => {
      const content = typeof payload === 'string' ? null : jsonParts(payload).content;
      for (const { event } of content?.data?.envelopes ?? []) {
        if (event.type === 'call') ids.push(event.id);
        else if (event.type === 'run') ids.push(...event.like.map((_, at) => event.first + at));
      }
    }),
  );
  return ids;
}

async function unfold(article: Locator): Promise<void> {
  await article.getByRole('heading').getByRole('button').click();
}

test('100,000 calls in one cell arrive complete and in order, folded into a row, and none of the output is lost', async ({
  lab,
  page,
}) => {
  const ids = recordIds(page);
  await lab.open('many.ipynb', notebook([SETUP, LOOP]));
  await lab.startAll();
  await expect(lab.row(50_000)).toBeVisible({ timeout: 90_000 });

  // The cell runs on while the panel is used.
  const tensors = lab.panel.getByRole('button', { name: /^Tensors/ });
  await tensors.click();
  await expect(tensors).toHaveAttribute('aria-expanded', 'false');
  await unfold(lab.row(50_000));
  await expect(lab.call(50_000)).toBeVisible();
  await unfold(lab.call(50_000));
  await expect(lab.call(50_000).getByRole('img').first()).toBeVisible();

  await goOn(lab);
  await expect(lab.row(100_000)).toBeVisible({ timeout: 90_000 });
  await expect(lab.counts).toContainText('100,000 calls');
  await expect(page.getByText('user 100000')).toBeVisible();
  await unfold(lab.row(100_000));
  await expect(lab.call(100_000)).toHaveCount(0);

  const firsts = [...new Set(ids)];
  expect(firsts).toEqual(Array.from({ length: 100_000 }, (_, index) => index + 1));
  for (let i = 5000; i <= 100_000; i += 5000) {
    await expect(page.getByRole('main')).toContainText(`user ${i}\n`);
  }
  await expect(page.getByRole('main')).not.toContainText('rate exceeded');
});

test('what is read stays in its place while calls come above it, and the first call is at the end', async ({ lab }) => {
  await lab.open('many.ipynb', notebook([SETUP, LOOP]));
  await lab.startAll();
  await unfold(lab.row(50_000));
  const content = lab.page.locator('.jp-Torchtwin-content');
  await content.evaluate((element) => element.scrollTo(0, 30_000));
  const read = lab.panel.locator('article.jp-mod-among').nth(12);
  await expect(read).toBeInViewport();
  const name = (await read.getAttribute('aria-label')) ?? '';
  const same = lab.panel.getByRole('article', { name, exact: true });
  const button = same.getByRole('button').first();
  await button.focus();
  const before = await same.boundingBox();

  await goOn(lab);
  await expect(lab.counts).toBeAttached();
  await expect(lab.panel.getByText('× 100,000').first()).toBeAttached({ timeout: 90_000 });
  expect((await same.boundingBox())?.y).toBeCloseTo(before?.y ?? 0, -0.5);
  await expect(button).toBeFocused();
  await lab.page.keyboard.press('Enter');
  await expect(button).toHaveAttribute('aria-expanded', 'true');

  await content.evaluate((element) => element.scrollTo(0, element.scrollHeight));
  await expect(lab.call(1)).toBeInViewport();
  await expect(lab.call(1)).toHaveAttribute('aria-posinset', '100000');
  await expect(button).toBeFocused();
  await lab.page.keyboard.press('PageUp');
  await expect(lab.call(1)).not.toBeInViewport();
});
