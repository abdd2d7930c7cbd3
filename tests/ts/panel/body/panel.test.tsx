import { fireEvent, screen, waitFor, within } from '@testing-library/react';
import { describe, expect, test } from 'vitest';
import { type KernelView, RequestError } from '../../../../src/panel/host';
import { callOf } from '../../fixtures';
import { view } from '../../harness/fakeHost';
import { call, page } from '../model/build';
import { alerted, announced, callCard, EMPTY, frames, openExercise, show, value } from './show';

describe('the exercise', () => {
  test('shows the kernel, the watch and the counts', async () => {
    await show(value('page-exercise.json'));
    expect(screen.getByRole('region', { name: 'Torchtwin' })).toBeTruthy();
    expect(screen.getByText('linear_by_hand.ipynb')).toBeTruthy();
    expect(screen.getByText('Python 3 (ipykernel)')).toBeTruthy();
    expect(screen.getByRole('status', { name: 'Watch: watching' })).toBeTruthy();
    expect(screen.getByRole('group', { name: 'Counts' }).textContent).toBe('1 call1 agrees');
  });

  test('lists the tensors in a table and says which the last cell changed', async () => {
    await show(value('page-exercise.json'));
    const table = screen.getByRole('table');
    expect(
      within(table)
        .getAllByRole('columnheader')
        .map((each) => each.textContent),
    ).toEqual(['name', 'shape', 'dtype and more']);
    const w = within(table).getByRole('row', { name: /^w / });
    expect(w.textContent).toBe('w[3, 2]float32 · requires grad · has grad · storage of fc.weight');
    expect(within(table).getAllByText('changed')).toHaveLength(2);
    expect(within(table).getAllByRole('cell', { name: /^changed by the last cell · float32/ })).toHaveLength(2);
    expect(screen.getByRole('button', { name: 'Tensors 5, 2 changed' })).toBeTruthy();
  });

  test('shows the expression with every shape, and a word for every verdict', async () => {
    await show(value('page-exercise.json'));
    const card = callCard(/Call 1 of fc/);
    for (const shape of ['[1, 2]', '[2, 3]', '[1, 3]']) expect(card.textContent).toContain(shape);
    const list = within(card).getByRole('list', { name: 'Verdicts' });
    expect(within(list).getAllByRole('listitem')[0]?.textContent).toBe('output ✓ identical');
    const gradients = within(within(list).getByRole('list', { name: 'Gradients' })).getAllByRole('listitem');
    expect(gradients.map((each) => each.textContent)).toEqual([
      '✓ weight identical',
      '✓ bias identical',
      '– input unchecked',
    ]);
  });

  test('shows the word of several equal verdicts once, and tells it of each', async () => {
    const { container } = await show(value('page-exercise.json'));
    const words = [...container.querySelectorAll('.jp-Torchtwin-chips li > span:last-child')];
    expect(words.map((each) => each.textContent)).toEqual([' identical', ' identical', ' unchecked']);
    expect(words.map((each) => each.className)).toEqual([UNSEEN, UNSEEN, UNSEEN]);
  });

  test('is not spelled twice', async () => {
    const { container } = await openExercise();
    expect(container.querySelector(SPELLED)).toBeNull();
  });

  test('opens a call by its name, and says whether it is open', async () => {
    await openExercise();
    const button = screen.getByRole('button', { name: 'fc' });
    expect(button.getAttribute('aria-expanded')).toBe('true');
    expect(screen.getByRole('img', { name: /^x, 1 by 2, times w.T/ })).toBeTruthy();
    fireEvent.click(button);
    expect(button.getAttribute('aria-expanded')).toBe('false');
    expect(screen.queryByRole('img')).toBeNull();
  });

  test('tells how a chosen element came about', async () => {
    const { container } = await openExercise();
    fireEvent.click(screen.getByRole('button', { name: 'fc_out[0, 1]: 682, equal in layer and formula' }));
    expect(container.textContent).toContain('fc_out[0, 1] = 10·21 + 20·22 + 32 = 682');
    expect(container.textContent).toContain('row 0 of x · row 1 of w + b[0, 1]');
  });

  test('lets the arrow keys walk through the elements', async () => {
    const { container } = await openExercise();
    const first = screen.getByRole('button', { name: /^fc_out\[0, 0\]/ });
    first.focus();
    fireEvent.keyDown(first, { key: 'ArrowRight' });
    expect(document.activeElement?.getAttribute('aria-label')).toMatch(/^fc_out\[0, 1\]/);
    expect(container.textContent).toContain('= 682');
    const grid = screen.getByRole('table', { name: 'Elements of fc_out' });
    expect(
      within(grid)
        .getAllByRole('button')
        .filter((each) => each.tabIndex === 0),
    ).toHaveLength(1);
  });

  test('tells how an element of the weight gradient came about', async () => {
    const { container } = await openExercise();
    fireEvent.click(screen.getByRole('button', { name: 'weight grad' }));
    fireEvent.click(screen.getByRole('button', { name: /^weight gradient\[2, 1\]: 20/ }));
    expect(container.textContent).toContain('weight gradient[2, 1] = 1·20 = 20');
  });

  test('lists the gradients with formula, verdict and reason', async () => {
    await openExercise();
    expect(screen.getByRole('row', { name: /^fc\s*\.weight\s*\.grad/ }).textContent).toContain(
      'fc.weight.grad[3, 2]g.T @ x[3, 1] @ [1, 2]✓\u00a0identical, 6 of 6',
    );
    expect(screen.getByRole('row', { name: /^x\s*\.grad/ }).textContent).toContain('x does not require grad');
    expect(screen.getByRole('table', { name: 'g is the gradient of fc_out' })).toBeTruthy();
  });

  test('copies the expression and goes to the cell', async () => {
    const { host } = await openExercise();
    fireEvent.click(screen.getByRole('button', { name: 'Copy expression' }));
    await screen.findByText('Copied');
    expect(host.copied).toEqual(['x @ w.T + b']);
    fireEvent.click(screen.getByRole('button', { name: 'Go to cell' }));
    expect(host.revealed).toMatchObject([{ execution_count: 2, line: 9 }]);
    host.canReveal = false;
    fireEvent.click(screen.getByRole('button', { name: 'Go to cell' }));
    await screen.findByText('Not found any more');
  });
});

const UNSEEN = 'jp-Torchtwin-unseen';
const SPELLED = '.jp-Torchtwin-spelled';

describe('an expression that its operands do not spell', () => {
  test('stands under them as code', async () => {
    const { container } = await show(value('page-autocast.json'));
    const spelled = [...container.querySelectorAll(SPELLED)].map((each) => each.textContent);
    expect(spelled).toEqual(['x.bfloat16() @ fc.weight.bfloat16().T + fc.bias.bfloat16()']);
  });

  test('waits for the card to be opened if it is long', async () => {
    const expression = `(${'features + '.repeat(8)}features) @ w.T + b`;
    const { container } = await show(page([call(1, { expression })]));
    expect(container.querySelector(SPELLED)).toBeNull();
    fireEvent.click(screen.getByRole('button', { name: 'fc' }));
    expect(container.querySelector(SPELLED)?.textContent).toBe(expression);
  });
});

test('a diagnosis that this build does not know is told in its own words', async () => {
  await show(value('newer/unknown-diagnosis.json'));
  expect(callCard(/Call 4 of head/).textContent).toContain('The softmax runs along the wrong axis.Write dim=-1.');
});

describe('the way to a place', () => {
  test.each(['Go to cell', 'cell [2], line 9'])('that the host fails to show is said to be lost: %s', async (name) => {
    const { host } = await openExercise();
    host.reveal = () => Promise.reject(new Error('disposed'));
    const button = screen.getByRole('button', { name });
    const status = button.nextElementSibling;
    expect([status?.getAttribute('role'), status?.textContent]).toEqual(['status', '']);
    fireEvent.click(button);
    await waitFor(() => expect(status?.textContent).toMatch(/not found any more/i));
    expect(status?.isConnected).toBe(true);
  });
});

describe('a failed call', () => {
  test('is explained on top, its clashing dimensions in bold', async () => {
    const { container } = await show(value('page-failed.json'));
    const card = screen.getByRole('article', { name: 'Failed call of fc2' });
    expect(card.textContent).toContain('h has 128 features, fc2 takes 64.');
    expect(within(card).getAllByRole('listitem')).toHaveLength(2);
    expect([...container.querySelectorAll('b.jp-Torchtwin-clash')].map((each) => each.textContent)).toEqual([
      '128',
      '64',
    ]);
    expect(screen.getByRole('group', { name: 'Counts' }).textContent).toContain('1 failed');
  });
});

describe('a failed call that is done with', () => {
  test('can be dismissed and shown again; a new one shows', async () => {
    const { host } = await show(value('page-failed.json'));
    fireEvent.click(screen.getByRole('button', { name: 'Dismiss' }));
    expect(screen.queryByRole('article')).toBeNull();
    host.page(page([{ ...callOf('page-failed.json'), id: 8 }], 2, { session: '5f0c2d7e-session' }));
    await frames();
    expect(screen.getAllByRole('article')).toHaveLength(1);
    fireEvent.click(screen.getByRole('button', { name: 'Dismiss' }));
    fireEvent.click(screen.getByRole('button', { name: 'Show the failed calls again' }));
    fireEvent.click(screen.getByRole('button', { name: 'Show 1 earlier failed call' }));
    expect(screen.getAllByRole('article')).toHaveLength(2);
  });
});

describe('what a person can do', () => {
  test('switches the watch off and forgets the calls', async () => {
    const { host } = await show(value('page-exercise.json'));
    fireEvent.click(screen.getByRole('button', { name: 'Off' }));
    await frames();
    fireEvent.click(screen.getByRole('button', { name: 'Clear' }));
    await frames();
    expect(host.requests.slice(1)).toEqual([{ type: 'watch', on: false }, { type: 'clear' }]);
  });

  test('is told when the kernel is too busy for it', async () => {
    await show(value('page-exercise.json'), () => {
      throw new RequestError('busy', 'time-out');
    });
    fireEvent.click(screen.getByRole('button', { name: 'Off' }));
    await waitFor(() => expect(alerted()).toContain('The kernel is busy.'));
  });

  test('folds a section', async () => {
    await show(value('page-exercise.json'));
    const heading = screen.getByRole('button', { name: /^Tensors/ });
    fireEvent.click(heading);
    expect(heading.getAttribute('aria-expanded')).toBe('false');
    expect(screen.queryByRole('table')).toBeNull();
  });

  test('copies the traceback of an internal error', async () => {
    const { host } = await show(value('page-internal-error.json'));
    expect(screen.getByText('1 internal error')).toBeTruthy();
    fireEvent.click(screen.getByRole('button', { name: 'Copy traceback', hidden: true }));
    expect(host.copied[0]).toContain('ZeroDivisionError');
  });
});

test('what is announced holds nothing to click', async () => {
  const kernels: KernelView['status'][] = [
    { type: 'missing', install: '%pip install torchtwin' },
    { type: 'not-loaded' },
    { type: 'failed', message: 'no' },
  ];
  for (const status of kernels) {
    const { container, unmount } = await show(EMPTY, undefined, view({ status }));
    expect(container.querySelector('button')).toBeTruthy();
    expect(container.querySelector(LIVE_BUTTON)).toBeNull();
    unmount();
  }
  const { container } = await openExercise();
  fireEvent.click(screen.getByRole('button', { name: /^fc_out\[0, 1\]/ }));
  expect(announced()).toContain('fc_out[0, 1] = 10·21 + 20·22 + 32 = 682: row 0 of x · row 1 of w + b[0, 1]');
  expect(container.querySelector(LIVE_BUTTON)).toBeNull();
});

const LIVE_BUTTON = '[role=status] button, [role=alert] button';
