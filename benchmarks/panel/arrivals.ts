import type { Page } from '@playwright/test';

import { jsonParts } from '../../tests/e2e/wire';

/** When each call was made, as the kernel tells the browser; milliseconds by the machine's clock, by id. */
export function callTimes(page: Page): Map<number, number> {
  const times = new Map<number, number>();
  page.on('websocket', (socket) =>
    socket.on('framereceived', ({ payload }) => {
      const content = typeof payload === 'string' ? null : jsonParts(payload).content;
      for (const { event } of content?.data?.envelopes ?? []) note(event, times);
    }),
  );
  return times;
}

interface Told {
  type: string;
  id: number;
  first: number;
  time: number;
  seconds: number;
  like: number[];
}

function note(event: object, times: Map<number, number>): void {
  const { type, id, first, time, seconds, like } = event as Told;
  // A call may be told again, when a gradient has reached it.
  if (type === 'call' && !times.has(id)) times.set(id, 1000 * time);
  if (type !== 'run') return;
  const apart = seconds / Math.max(1, like.length - 1);
  for (const at of like.keys()) times.set(first + at, 1000 * (time + at * apart));
}

export interface Paint {
  /** Milliseconds by the machine's clock. */
  at: number;
  /** How many calls the rows on screen tell of. */
  calls: number;
}

/** Notes in the page, after each frame that has changed a row, how many calls the rows tell of. */
export async function watchPaints(page: Page): Promise<void> {
  await page.evaluate(() => {
    const paints: Paint[] = [];
    Object.assign(window, { paints });
    const shown = () => {
      const labels = [...document.querySelectorAll('.jp-Torchtwin-rows article')].map((each) => each.ariaLabel ?? '');
      return labels.reduce(
        (sum, label) => sum + Number(/^([\d,]+) calls/.exec(label)?.[1]?.replaceAll(',', '') ?? 1),
        0,
      );
    };
    let waiting = false;
    const observer = new MutationObserver(() => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => {
        const { port1, port2 } = new MessageChannel();
        // The message comes after the frame has been painted.
        port1.onmessage = () => {
          waiting = false;
          paints.push({ at: performance.timeOrigin + performance.now(), calls: shown() });
        };
        port2.postMessage(null);
      });
    });
    const panel = document.querySelector('.jp-Torchtwin');
    if (panel) observer.observe(panel, { subtree: true, childList: true, attributes: true, characterData: true });
  });
}

/** How long after each call its row was on screen. Ids count from 1, and calls are shown in order. */
export async function delays(page: Page, times: Map<number, number>): Promise<number[]> {
  const paints = await page.evaluate(() => (window as unknown as { paints: Paint[] }).paints);
  const found: number[] = [];
  let next = 1;
  for (const { at, calls } of paints) {
    for (; next <= calls; next++) {
      const made = times.get(next);
      if (made !== undefined) found.push(at - made);
    }
  }
  return found;
}
