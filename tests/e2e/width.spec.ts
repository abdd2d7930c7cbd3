import { exercise, expect, test } from './lab';

async function widths(lab: { page: import('@playwright/test').Page; panel: import('@playwright/test').Locator }) {
  const notebook = await lab.page.getByRole('main').boundingBox();
  const panel = await lab.panel.boundingBox();
  return { notebook: notebook?.width ?? 0, panel: panel?.width ?? 0 };
}

test('the panel opens wide enough for a formula, and can be made narrower', async ({ lab, page }) => {
  await lab.open('linear_by_hand.ipynb', exercise());
  expect((await widths(lab)).panel).toBeGreaterThanOrEqual(330);
  const edge = await lab.panel.boundingBox();
  const x = edge?.x ?? 0;
  await page.mouse.move(x - 2, 500);
  await page.mouse.down();
  await page.mouse.move(x + 400, 500, { steps: 5 });
  await page.mouse.up();
  expect((await widths(lab)).panel).toBeLessThan(260);
});

test.describe('at 200 % zoom', () => {
  test.use({ viewport: { width: 640, height: 400 }, deviceScaleFactor: 2 });

  test('the panel leaves the notebook most of the window', async ({ lab }) => {
    await lab.open('linear_by_hand.ipynb', exercise());
    await lab.command('application:toggle-left-area');
    await expect(lab.page.locator('#jp-left-stack')).toBeHidden();
    const { notebook, panel } = await widths(lab);
    expect(panel).toBeLessThanOrEqual(0.4 * 640);
    expect(notebook).toBeGreaterThan(panel);
  });
});
