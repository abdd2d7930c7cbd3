// What 100,000 calls in one cell ask of the page: `npm run bench:panel`, with what `make build` has built.
// CALLS and MODE (auto, every, shapes) are taken from the environment.
import { join, resolve } from 'node:path';
import type { Locator, Page } from '@playwright/test';

import { expect, notebook, test } from '../../tests/e2e/lab';
import { callTimes, delays, watchPaints } from './arrivals';
import { type Figure, quantile, tell } from './figures';
import { memory } from './memory';
import { countFrames, type Scrolling, scroll } from './scrolling';

const RESULT = join(resolve(__dirname, '../..'), 'build/reports/panel.json');

const CALLS = Number(process.env.CALLS ?? 100_000);

const SETUP = `import torch, torchtwin
torchtwin.watch(mode='${process.env.MODE ?? 'auto'}')
torch.set_grad_enabled(False)
fc = torch.nn.Linear(8, 8)
mlp = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4))
x = torch.randn(4, 8)`;

const LOOP = `import time
began = time.perf_counter()
for i in range(${Math.floor(CALLS / 4)}):
    fc(x)
    mlp(x)
    fc(x)
print(f'took {time.perf_counter() - began:.1f} s')`;

/** How long the panel takes to fold a section, while calls come. */
async function answers(page: Page, heading: Locator, until: Locator): Promise<number[]> {
  const taken: number[] = [];
  while (!(await until.isVisible())) {
    taken.push(
      await heading.evaluate(async (button) => {
        const began = performance.now();
        (button as HTMLElement).click();
        await new Promise((painted) => requestAnimationFrame(() => setTimeout(painted)));
        return performance.now() - began;
      }),
    );
    await page.waitForTimeout(200);
  }
  return taken;
}

function framesOf(what: string, { intervals, blank, drawn, dropped }: Scrolling): Figure[] {
  const seconds = intervals.reduce((sum, each) => sum + each, 0) / 1000;
  return [
    { what: `${what}: frames a second`, value: intervals.length / seconds, unit: '1/s', wanted: '60' },
    { what: `${what}: frames later than 1.5 of 60 Hz`, value: intervals.filter((each) => each > 25).length, unit: '' },
    { what: `${what}: longest frame`, value: Math.max(...intervals), unit: 'ms' },
    { what: `${what}: frames without a row in the middle`, value: blank, unit: '' },
    { what: `${what}: frames drawn, as traced`, value: drawn, unit: '' },
    { what: `${what}: frames dropped, as traced`, value: dropped, unit: '' },
  ];
}

test('many calls', async ({ lab, page }) => {
  const times = callTimes(page);
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('Performance.enable');
  await lab.open('many.ipynb', notebook([SETUP, 'fc(x)', LOOP]));
  const before = await memory(page, cdp);
  await watchPaints(page);
  await lab.startAll();
  const tensors = lab.panel.getByRole('button', { name: /^Tensors/ });
  await expect(tensors).toBeVisible({ timeout: 60_000 });
  const ended = page.locator('.jp-OutputArea-output').getByText(/took [\d.]+ s/);
  const clicks = await answers(page, tensors, ended);
  await expect(lab.counts).toContainText(/\d calls/);
  const took = /took ([\d.]+) s/.exec((await ended.textContent()) ?? '')?.[1];
  await page.waitForTimeout(3000);

  const late = await delays(page, times);
  const after = await memory(page, cdp);
  await lab.panel.locator('.jp-mod-group h3 button').first().click();
  await expect(lab.panel.locator('.jp-mod-among').first()).toBeVisible();
  const still = await countFrames(page, () => page.waitForTimeout(3000));
  const slow = await scroll(page, cdp, 6000, 1500);
  const fast = await scroll(page, cdp, 60_000, 12_000);
  const end = await memory(page, cdp);

  tell(
    [
      { what: 'calls', value: times.size, unit: '' },
      { what: 'the cell took', value: Number(took), unit: 's' },
      { what: 'calls whose row was seen to be painted', value: late.length, unit: '' },
      { what: 'from call to row: median', value: quantile(late, 0.5), unit: 'ms', wanted: '< 200' },
      { what: 'from call to row: 95th percentile', value: quantile(late, 0.95), unit: 'ms', wanted: '< 400' },
      { what: 'a click in the panel meanwhile: median', value: quantile(clicks, 0.5), unit: 'ms' },
      { what: 'a click in the panel meanwhile: longest', value: Math.max(...clicks), unit: 'ms' },
      { what: 'JavaScript heap before', value: before.heap, unit: 'MB' },
      { what: 'JavaScript heap with all calls', value: after.heap, unit: 'MB', wanted: '< 150' },
      { what: 'JavaScript heap after scrolling', value: end.heap, unit: 'MB', wanted: '< 150' },
      { what: 'process before', value: before.process, unit: 'MB' },
      { what: 'process with all calls', value: after.process, unit: 'MB' },
      ...framesOf('nothing moves, for comparison', still),
      ...framesOf('scrolling 1,500 pixels a second', slow),
      ...framesOf('scrolling 12,000 pixels a second', fast),
    ],
    RESULT,
  );
});
