import { fireEvent, screen } from '@testing-library/react';
import { describe, expect, test, vi } from 'vitest';
import { callOf } from '../../fixtures';
import { view } from '../../harness/fakeHost';
import { call, calls, page } from '../model/build';
import { EMPTY, frames, show, value } from './show';

// Hundreds of cards take their time beside other work. How long is not what is tested.
vi.setConfig({ testTimeout: 30_000 });

/** Presses a button as with the keyboard. */
function press(name: string) {
  const button = screen.getByText(name);
  button.focus();
  fireEvent.click(button);
}

const focused = () => document.activeElement;

describe('the focus stays in the panel', () => {
  test('on a switch while the kernel is asked, and a second press does nothing', async () => {
    const { host } = await show(value('page-exercise.json'), () => new Promise(() => {}));
    press('Off');
    press('Off');
    press('Clear');
    await frames();
    expect(focused()?.textContent).toBe('Clear');
    expect((focused() as HTMLButtonElement).disabled).toBe(false);
    expect(host.requests.filter(({ type }) => type !== 'replay')).toEqual([{ type: 'watch', on: false }]);
  });

  test('on what gets dismissed calls back, and on what dismisses them', async () => {
    await show(value('page-failed.json'));
    press('Dismiss');
    expect(focused()?.textContent).toBe('Show the failed calls again');
    fireEvent.click(focused() as Element);
    expect(focused()?.textContent).toBe('Dismiss');
  });

  test('on the first of the earlier failed calls', async () => {
    const failed = callOf('page-failed.json');
    await show(page([failed, { ...failed, id: 8, name: 'newer' }]));
    press('Show 1 earlier failed call');
    expect(focused()?.getAttribute('aria-label')).toBe('Failed call of fc2');
  });

  test('on the first of the last older calls', async () => {
    await show(page(calls(1, 150)));
    press('Show 50 older calls');
    const article = focused()?.closest('article');
    expect(article?.getAttribute('aria-label')).toBe('Call 50 of fc');
    expect(focused()).toBe(article?.querySelector('h3 button'));
  });

  test('on the button that shows older calls while there are more of them', async () => {
    await show(page(calls(1, 250)));
    press('Show 100 older calls');
    expect(focused()?.textContent).toBe('Show 50 older calls');
  });

  test('where a screen goes that had it', async () => {
    const { host } = await show(EMPTY, undefined, view({ status: { type: 'not-loaded' } }));
    press('Load');
    host.page(page([call(1)]));
    host.focus(view());
    await frames();
    expect(focused()?.className).toBe('jp-Torchtwin-content');
  });
});
