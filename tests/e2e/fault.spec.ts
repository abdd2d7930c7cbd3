import { expect, notebook, test } from './lab';

const FAULTY = `import torch, torchtwin.kernel.callsite as stage
def fault(frame): raise ZeroDivisionError('injected')
stage.caller = fault
fc = torch.nn.Linear(2, 3)
y = fc(torch.ones(1, 2)); print('ran', tuple(y.shape))`;

test('a fault of our own leaves the cell alone, and the panel tells it with what to report', async ({ lab, page }) => {
  await lab.open('fault.ipynb', notebook([FAULTY]));
  await lab.runAll();
  await expect(page.getByText('ran (1, 3)')).toBeVisible();
  await lab.panel.getByText('1 internal error', { exact: true }).click();
  await expect(lab.panel).toContainText('ZeroDivisionError: injected');
});
