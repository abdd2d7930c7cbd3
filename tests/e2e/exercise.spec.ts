import { exercise, expect, type Lab, test } from './lab';

async function expectTheTwin(lab: Lab): Promise<void> {
  const call = lab.call(1);
  await expect(call.getByTitle('x @ w.T + b', { exact: true })).toHaveText('x[1, 2]@w.T[2, 3]+b[1, 3]→fc_out[1, 3]');
  await expect(lab.panel.getByRole('row', { name: /^w / })).toContainText('[3, 2]');
  await expect(call.getByRole('list', { name: 'Verdicts' })).toContainText(/output.*identical/);
  await expect(call.getByRole('list', { name: 'Gradients' })).toContainText(/weight.*bias.*input/);
  await expect(call.getByTitle(/identical, 3 of 3/).filter({ hasText: 'output' })).toBeVisible();
  await expect(call.getByTitle(/identical, 6 of 6/).filter({ hasText: 'weight' })).toBeVisible();
  await expect(call.getByTitle(/identical, 3 of 3/).filter({ hasText: 'bias' })).toBeVisible();
  await expect(call.getByTitle('does not require grad').filter({ hasText: 'input' })).toBeVisible();
  await expect(call.getByRole('list', { name: 'Your variables' })).toContainText('fc_out_alternative is this output');
}

test('the exercise shows its layer beside the formula, in output and gradients', async ({ lab }) => {
  await lab.open('linear_by_hand.ipynb', exercise());
  await lab.runAll();
  await expectTheTwin(lab);
});

test('a call with a wrong shape is explained', async ({ lab }) => {
  await lab.open('linear_by_hand.ipynb', exercise());
  await lab.runAll();
  await expect(lab.counts).toContainText('1 call');
  await lab.runInNewCell('fc(torch.ones(2, 3))');
  const failed = lab.panel.getByRole('article', { name: 'Failed call of fc' });
  await expect(failed).toContainText('[2, 3]');
  await expect(failed).toContainText(/3 features.*takes 2/);
  await expect(lab.call(1)).toBeVisible();
});

test('an element of the output shows how it came about', async ({ lab }) => {
  await lab.open('linear_by_hand.ipynb', exercise());
  await lab.runAll();
  await lab.call(1).getByRole('button', { name: 'fc', exact: true }).click();
  await lab
    .call(1)
    .getByRole('button', { name: /^fc_out\[0, 1\]: 682/ })
    .click();
  await expect(lab.call(1)).toContainText('fc_out[0, 1] = 10·21 + 20·22 + 32 = 682');
});

test('the way to the cell leads to the line of the call', async ({ lab, page }) => {
  await lab.open('linear_by_hand.ipynb', exercise());
  await lab.runAll();
  await lab
    .call(1)
    .getByRole('button', { name: /line 9/ })
    .click();
  await expect.poll(() => page.evaluate(() => window.getSelection()?.toString())).toBe('fc_out = fc(x)');
});

test('Notebook 7 shows the same, nothing cut off', async ({ lab, page }) => {
  await lab.openInNotebook7('linear_by_hand.ipynb', exercise());
  await lab.runAll();
  await expectTheTwin(lab);
  const right = await lab.panel.evaluate((element) => element.getBoundingClientRect().right);
  expect(right).toBeLessThanOrEqual(page.viewportSize()?.width ?? 0);
});

test('the panel takes on the dark theme', async ({ lab, page }, info) => {
  await lab.open('linear_by_hand.ipynb', exercise());
  await lab.command('apputils:change-theme', { theme: 'JupyterLab Dark' });
  await lab.runAll();
  await expectTheTwin(lab);
  const colours = await lab.panel.evaluate((element) => {
    const { color, backgroundColor } = getComputedStyle(element);
    return [color, backgroundColor].map((text) => Number(text.match(/\d+/)?.[0]));
  });
  expect(colours[0]).toBeGreaterThan(180);
  expect(colours[1]).toBeLessThan(60);
  await info.attach('dark', { body: await page.screenshot(), contentType: 'image/png' });
});
