import { readFileSync } from 'node:fs';
import type { CDPSession, Page } from '@playwright/test';

export interface Memory {
  /** MB of JavaScript's objects, after a garbage collection. */
  heap: number;
  /** MB of the page's process, as the operating system counts. */
  process: number;
}

export async function memory(page: Page, cdp: CDPSession): Promise<Memory> {
  for (let times = 0; times < 3; times++) await cdp.send('HeapProfiler.collectGarbage');
  const { metrics } = await cdp.send('Performance.getMetrics');
  const heap = metrics.find(({ name }) => name === 'JSHeapUsedSize')?.value ?? Number.NaN;
  return { heap: heap / 1e6, process: await residentSize(page) };
}

/** Of the largest renderer: the browser has one page. */
async function residentSize(page: Page): Promise<number> {
  const cdp = await page.context().browser()?.newBrowserCDPSession();
  const { processInfo } = (await cdp?.send('SystemInfo.getProcessInfo')) ?? { processInfo: [] };
  const renderers = processInfo.filter(({ type }) => type === 'renderer');
  return Math.max(...renderers.map(({ id }) => residentOf(id)));
}

function residentOf(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return (Number(kilobytes) * 1024) / 1e6;
}
