import { expect, notebook, test } from './lab';

const CALL = 'import torch; torch.nn.Linear(2, 3)(torch.ones(1, 2))';

test('a kernel without the package gets a hint, and nothing in the notebook', async ({ lab, page }) => {
  await lab.open('bare.ipynb', notebook(['print("here", "I am")'], 'bare'));
  await expect(lab.panel).toContainText('pip install torchtwin');
  await lab.runAll();
  await expect(page.getByText('here I am')).toBeVisible();
  await expect(page.getByRole('main')).toContainText('[1]:');
  await expect(page.getByRole('main')).not.toContainText('Error');
});

test.describe('with autoLoad off', () => {
  test.beforeEach(({ lab }) => lab.set({ autoLoad: false }));
  test.afterEach(({ lab }) => lab.set({}));

  test('the helper waits for the button', async ({ lab }) => {
    await lab.open('asked.ipynb', notebook([CALL]));
    await lab.panel.getByRole('button', { name: 'Load' }).click();
    await expect(lab.panel).toContainText('Run a cell that calls nn.Linear');
    await lab.runAll();
    await expect(lab.counts).toContainText('1 call');
  });

  test('%load_ext is noticed', async ({ lab }) => {
    await lab.open('magic.ipynb', notebook(['%load_ext torchtwin', CALL]));
    await expect(lab.panel.getByRole('button', { name: 'Load' })).toBeVisible();
    await lab.runAll();
    await expect(lab.counts).toContainText('1 call');
  });

  test('switching it on loads the helper at once', async ({ lab, page }) => {
    await lab.open('live.ipynb', notebook([CALL]));
    await expect(lab.panel.getByRole('button', { name: 'Load' })).toBeVisible();
    await lab.command('settingeditor:open', { query: 'Torchtwin' });
    await page.getByLabel('Load Torchtwin in every Python kernel').check();
    await expect(lab.panel).toContainText('Run a cell that calls nn.Linear');
  });
});

test('a page older than the installed package says that it must be loaded anew', async ({ lab, page }) => {
  await page.route('**/torchtwin/api/about*', (route) => route.fulfill({ json: { version: '99.0.0', protocol: 1 } }));
  await lab.open('old.ipynb', notebook([CALL]));
  await expect(page.getByText('Torchtwin 99.0.0 is installed, but this page runs')).toBeVisible();
  await page.unroute('**/torchtwin/api/about*');
  await page.getByRole('button', { name: 'Reload the page' }).click();
  await expect(page.getByText('Torchtwin 99.0.0 is installed')).toBeHidden();
  await lab.openPanel();
});
