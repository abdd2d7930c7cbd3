import { fireEvent, screen } from '@testing-library/react';
import { describe, expect, test } from 'vitest';
import { callOf } from '../../fixtures';
import { view } from '../../harness/fakeHost';
import { call, calls, page } from '../model/build';
import { EMPTY, frames, show, value } from './show';

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

  test('on what a loop is folded by, when another call moves its row', async () => {
    const { host } = await show(page([...calls(1, 2), call(3, { name: 'head' }), call(4, { name: 'head' })]));
    const button = screen.getAllByText('fc')[0]?.closest('button') as HTMLButtonElement;
    button.focus();
    host.page(page([call(5, { time: call(1).time + 60 })], 4));
    await frames();
    expect(screen.getAllByRole('article')[0]?.contains(button)).toBe(true);
    expect(focused()).toBe(button);
  });

  test('on the first call that differs, when that is gone to', async () => {
    const differs = { forward: callOf('page-different.json').forward };
    await show(page([call(1), call(2, differs), call(3)]));
    press('Go to call 2, which differs');
    await frames();
    const article = screen.getByRole('article', { name: 'Call 2 of fc' });
    expect(focused()).toBe(article.querySelector('h3 button'));
    expect(focused()?.getAttribute('aria-expanded')).toBe('true');
  });

  test('in the panel, when a call that had it is cleared', async () => {
    const { host } = await show(page(calls(1, 1)));
    screen.getByRole('button', { name: 'fc' }).focus();
    host.page(page([{ type: 'cleared', up_to: 1 }], 1));
    await frames();
    expect(focused()?.className).toBe('jp-Torchtwin-content');
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
