import type { CDPSession, Page } from '@playwright/test';

export interface Scrolling {
  /** Milliseconds between the frames that the page drew. */
  intervals: number[];
  /** Frames in which nothing stood in the middle of the list. */
  blank: number;
  /** As the compositor tells. */
  drawn: number;
  dropped: number;
}

/** Scrolls through the panel's rows as by a wheel, there and back, while frames are counted. */
export function scroll(page: Page, cdp: CDPSession, pixels: number, speed: number): Promise<Scrolling> {
  return countFrames(page, async () => {
    await gesture(page, cdp, -pixels, speed);
    await gesture(page, cdp, pixels, speed);
  });
}

export async function countFrames(page: Page, work: () => Promise<void>): Promise<Scrolling> {
  await startCounting(page);
  const frames = await traceFrames(page, work);
  return { ...(await page.evaluate(() => (window as unknown as { endCounting(): Counted }).endCounting())), ...frames };
}

type Counted = Pick<Scrolling, 'intervals' | 'blank'>;

async function startCounting(page: Page): Promise<void> {
  await page.evaluate(() => {
    const intervals: number[] = [];
    let blank = 0;
    let going = true;
    let before = performance.now();
    const box = document.querySelector('.jp-Torchtwin-content')?.getBoundingClientRect() ?? new DOMRect();
    const each = (now: number) => {
      intervals.push(now - before);
      before = now;
      const middle = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
      if (!middle?.closest('article')) blank += 1;
      if (going) requestAnimationFrame(each);
    };
    requestAnimationFrame(each);
    const endCounting = () => {
      going = false;
      return { intervals: intervals.slice(1), blank };
    };
    Object.assign(window, { endCounting });
  });
}

async function gesture(page: Page, cdp: CDPSession, yDistance: number, speed: number): Promise<void> {
  const box = await page.locator('.jp-Torchtwin-content').boundingBox();
  if (!box) throw new Error('the panel is not in sight');
  const place = { x: Math.round(box.x + box.width / 2), y: Math.round(box.y + box.height / 2) };
  await cdp.send('Input.synthesizeScrollGesture', { ...place, yDistance, speed, gestureSourceType: 'mouse' });
}

async function traceFrames(page: Page, work: () => Promise<void>): Promise<Pick<Scrolling, 'drawn' | 'dropped'>> {
  const browser = page.context().browser();
  if (!browser) throw new Error('the page has no browser');
  await browser.startTracing(page, {
    categories: ['disabled-by-default-devtools.timeline.frame', 'devtools.timeline.frame'],
  });
  await work();
  const { traceEvents } = JSON.parse((await browser.stopTracing()).toString()) as { traceEvents: { name: string }[] };
  const times = (name: string) => traceEvents.filter((event) => event.name === name).length;
  return { drawn: times('DrawFrame'), dropped: times('DroppedFrame') };
}
