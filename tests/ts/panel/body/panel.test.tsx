import { act, fireEvent, render, screen, waitFor, within } from '@testing-library/react';
import { describe, expect, test } from 'vitest';
import { Panel } from '../../../../src/panel';
import { type KernelView, RequestError } from '../../../../src/panel/host';
import type { DecodedEvent, Request } from '../../../../src/protocol';
import { callOf, fixture } from '../../fixtures';
import { FakeHost, view } from '../../harness/fakeHost';
import { call, calls, page } from '../model/build';

type Answer = (request: Request) => unknown;

/** The panel beside a kernel that replays this page and answers the rest as told. */
async function show(replayed: unknown, answer: Answer = () => ({ type: 'done' }), kernel: KernelView = view()) {
  const host = new FakeHost(
    (request) => (request.type === 'replay' ? { type: 'page', page: replayed } : answer(request)),
    kernel,
  );
  const { unmount, container } = render(<Panel host={host} />);
  await frames();
  return { host, unmount, container };
}

const frames = () => act(() => new Promise<void>((resolve) => setTimeout(resolve, 120)));
const value = (name: string) => fixture(name).value;
const callCard = (name: RegExp) => screen.getByRole('article', { name });
const announced = () => screen.getAllByRole('status').map((each) => each.textContent);
const EMPTY = page([]);

async function openExercise(answer?: Answer) {
  const shown = await show(value('page-exercise.json'), answer);
  fireEvent.click(within(callCard(/Call 1 of fc/)).getByRole('button', { name: 'fc' }));
  return shown;
}

describe('the exercise', () => {
  test('shows the kernel, the watch and the counts', async () => {
    await show(value('page-exercise.json'));
    expect(screen.getByRole('region', { name: 'Torchtwin' })).toBeTruthy();
    expect(screen.getByText('linear_by_hand.ipynb')).toBeTruthy();
    expect(screen.getByRole('status', { name: 'Watch: watching' })).toBeTruthy();
    expect(screen.getByRole('status', { name: 'Counts' }).textContent).toBe('1 call1 agrees');
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
  });

  test('shows the expression with every shape, and a word for every verdict', async () => {
    await show(value('page-exercise.json'));
    const card = callCard(/Call 1 of fc/);
    for (const shape of ['[1, 2]', '[2, 3]', '[1, 3]']) expect(card.textContent).toContain(shape);
    const verdicts = within(card)
      .getAllByRole('listitem')
      .map((each) => each.textContent);
    expect(verdicts).toEqual(['✓ output identical', '✓ weight identical', '✓ bias identical', '– input unchecked']);
  });

  test('shows the word of several equal verdicts once, and tells it of each', async () => {
    const { container } = await show(value('page-exercise.json'));
    const words = [...container.querySelectorAll('.jp-Torchtwin-verdicts li > span:last-child')];
    expect(words.map((each) => each.textContent)).toEqual([' identical', ' identical', ' identical', ' unchecked']);
    expect(words.map((each) => each.className)).toEqual(['', UNSEEN, UNSEEN, '']);
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
    expect(screen.getByRole('row', { name: /^fc\.\s*weight\.\s*grad/ }).textContent).toContain(
      'g.T @ x✓\u00a0identical, 6 of 6',
    );
    expect(screen.getByRole('row', { name: /^x\.\s*grad/ }).textContent).toContain('x does not require grad');
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
    expect(screen.getByRole('status', { name: 'Counts' }).textContent).toContain('1 failed');
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

describe('large operands', () => {
  const large = () => show(value('page-long-names.json'), answer);
  let answer: Answer;
  const ask = async (index: string) => {
    fireEvent.click(screen.getByRole('button', { name: /feed_forward/ }));
    fireEvent.change(screen.getByLabelText('element of [8, 64, 1024]'), { target: { value: index } });
    fireEvent.click(screen.getByRole('button', { name: 'Show' }));
    await frames();
  };

  test('are asked for an element', async () => {
    answer = () => value('reply-element.json');
    const { host, container } = await large();
    await ask('0, 3, 7');
    expect(host.requests.at(-1)).toEqual({ type: 'element', call: 6, of: 'output', index: [0, 3, 7] });
    expect(container.textContent).toContain('output[0, 3, 7] = 10·21 + 20·22 + 32 = 682');
  });

  test('that are gone are said to be gone', async () => {
    answer = () => value('reply-refused-gone.json');
    const { container } = await large();
    await ask('0, 0, 0');
    expect(container.textContent).toContain('These tensors are gone: ');
    expect(screen.queryByRole('button', { name: 'Ask again' })).toBeNull();
  });

  test('that are not kept are said to be so, without advice that cannot help', async () => {
    answer = () => value('reply-refused-too-large.json');
    const { container } = await large();
    await ask('0, 0, 0');
    expect(container.textContent).toContain('of more than 256 none is kept.');
    expect(container.textContent).not.toContain('Run the cell again');
    expect(screen.queryByRole('button', { name: 'Ask again' })).toBeNull();
  });

  test('of a busy kernel can be asked for again', async () => {
    answer = () => {
      throw new RequestError('busy', 'time-out');
    };
    const { container } = await large();
    await ask('0, 0, 0');
    expect(container.textContent).toContain('The kernel is busy.');
    answer = () => value('reply-element.json');
    const host = screen.getByRole('button', { name: 'Ask again' });
    fireEvent.click(host);
    await frames();
  });

  test('need an index that lies inside', async () => {
    answer = () => value('reply-element.json');
    const { host } = await large();
    await ask('9, 0, 0');
    expect(screen.getByRole('alert').textContent).toContain('[8, 64, 1024]');
    expect(host.requests.every(({ type }) => type === 'replay')).toBe(true);
  });

  test('with long rows are shortened in the middle until asked', async () => {
    const many = Array.from({ length: 256 }, (_, index) => index);
    const terms = { type: 'element', left: many, right: many.map(() => 1), left_name: 'x[0]', right_name: 'w[0]' };
    answer = () => ({ ...terms, bias: null, bias_name: null, layer: 32640 });
    const { container } = await large();
    await ask('0, 0, 0');
    expect(container.textContent).toContain('= 0·1 + 1·1 + 2·1 + 3·1 + … 248 more … + 252·1');
    expect(container.textContent).toContain('= 32640');
    expect(announced().join()).toContain('output[0, 0, 0] = 0·1 + 1·1 + 2·1 + 3·1 + 248 more + 252·1');
    fireEvent.click(screen.getByRole('button', { name: '… 248 more …' }));
    expect(container.textContent).toContain('127·1 + 128·1');
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
    expect((await screen.findByRole('alert')).textContent).toContain('The kernel is busy.');
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

describe('every other screen', () => {
  const status = (given: KernelView['status']) => view({ status: given });

  test.each<[string, KernelView]>([
    ['No kernel', view({ id: null, name: '', status: { type: 'none' } })],
    ['Not a Python kernel', status({ type: 'other-language', language: 'R' })],
    ['Connecting to the kernel…', status({ type: 'connecting' })],
    ['Loading Torchtwin into the kernel…', status({ type: 'loading' })],
    ['Torchtwin isn’t installed in this kernel', status({ type: 'missing', install: '%pip install torchtwin' })],
    ['Torchtwin isn’t loaded', status({ type: 'not-loaded' })],
    ['Torchtwin can’t show this kernel', status({ type: 'failed', message: 'no' })],
    ['Run a cell that calls nn.Linear', view()],
  ])('%s', async (title, kernel) => {
    await show(EMPTY, undefined, kernel);
    expect(screen.getAllByRole('heading').map((each) => each.textContent)).toEqual([title]);
  });

  test('copies the line that installs the package', async () => {
    const { host } = await show(EMPTY, undefined, status({ type: 'missing', install: '%pip install torchtwin' }));
    fireEvent.click(screen.getByRole('button', { name: 'Copy' }));
    expect(host.copied).toEqual(['%pip install torchtwin']);
  });

  test('loads the extension on a click', async () => {
    const { host } = await show(EMPTY, undefined, status({ type: 'not-loaded' }));
    expect(screen.getByText('%load_ext torchtwin')).toBeTruthy();
    fireEvent.click(screen.getByRole('button', { name: 'Load' }));
    await waitFor(() => expect(host.loaded).toEqual(['k1']));
  });

  test('says how to load the helper elsewhere', async () => {
    const { container } = await show(EMPTY);
    expect(container.textContent).toContain('%load_ext torchtwin');
  });

  test('tries to load again what could not be loaded', async () => {
    const { host } = await show(EMPTY, undefined, status({ type: 'failed', message: 'no' }));
    fireEvent.click(screen.getByRole('button', { name: 'Try again' }));
    await waitFor(() => expect(host.loaded).toEqual(['k1']));
  });

  test('reads the records again when they could not be read', async () => {
    const { host, container } = await show({ ...EMPTY, latest: 'far' });
    expect(container.textContent).toContain('/page/latest: must be integer');
    host.answer = () => ({ type: 'page', page: value('page-exercise.json') });
    fireEvent.click(screen.getByRole('button', { name: 'Try again' }));
    await frames();
    expect(callCard(/Call 1 of fc/)).toBeTruthy();
  });

  test('asks to reload the page for another protocol', async () => {
    await show(value('newer/other-protocol.json'));
    expect(screen.getByRole('alert').textContent).toContain('Reload the page');
  });

  test('says that a busy kernel is waited for', async () => {
    const busy = () => {
      throw new RequestError('busy', 'time-out');
    };
    render(<Panel host={new FakeHost(busy, view({ busy: true }))} />);
    await frames();
    expect(screen.getByRole('heading', { name: 'The kernel is busy' })).toBeTruthy();
    expect(screen.getByRole('status', { name: 'Watch: kernel busy' })).toBeTruthy();
  });

  test.each([
    ['page-off.json', 'off', 'The watch is off'],
    ['page-no-torch.json', 'no torch yet', 'Run a cell that calls nn.Linear'],
  ])('%s', async (name, word, title) => {
    await show(value(name));
    expect(screen.getByRole('status', { name: `Watch: ${word}` })).toBeTruthy();
    expect(screen.getByRole('heading', { name: title })).toBeTruthy();
  });

  test('says beside the tensors, too, that the watch is off', async () => {
    const exercise = value('page-exercise.json') as ReturnType<typeof page>;
    const tensors = exercise.envelopes.map(({ event }) => event).filter(({ type }) => type === 'tensors');
    const [off] = (value('page-off.json') as ReturnType<typeof page>).envelopes.map(({ event }) => event);
    const { container } = await show(page([off as DecodedEvent, ...tensors]));
    expect(container.textContent).toContain('The watch is off: switch it on to record the calls of nn.Linear.');
    expect(container.textContent).not.toContain('Run a cell');
  });

  test('names an unknown event instead of guessing', async () => {
    const { container } = await show(value('newer/unknown-event.json'));
    expect(container.textContent).toContain('Unknown to this version of the panel: histogram.');
  });
});

describe('over time', () => {
  test('shows each kernel its own calls', async () => {
    const { host } = await show(value('page-exercise.json'));
    const other = page([call(1, { name: 'other' })]);
    host.answer = () => ({ type: 'page', page: other });
    host.page(other, 'k2');
    host.focus(view({ id: 'k2', name: 'other.ipynb' }));
    await frames();
    expect(screen.getByRole('article', { name: 'Call 1 of other' })).toBeTruthy();
    host.focus(view());
    await frames();
    expect(screen.getByRole('article', { name: 'Call 1 of fc' })).toBeTruthy();
  });

  test('is cleared by a restart', async () => {
    const { host } = await show(value('page-exercise.json'));
    host.answer = () => ({ type: 'page', page: page([], 0, { session: 's2' }) });
    host.focus(view({ restarting: true }));
    await frames();
    expect(screen.getByRole('status', { name: 'Watch: kernel restarting' })).toBeTruthy();
    host.focus(view());
    await frames();
    expect(screen.queryByRole('article')).toBeNull();
    expect(screen.getByRole('status', { name: 'Watch: kernel restarted' })).toBeTruthy();
  });

  test('keeps 20,000 calls and draws a hundred, then older ones on request', async () => {
    const { host, container } = await show(EMPTY);
    for (let at = 0; at < 20_000; at += 2000) host.page(page(calls(at + 1, at + 2000), at));
    await frames();
    const articles = () => [...container.querySelectorAll('article')];
    expect(container.textContent).toContain('20,000 calls');
    expect(articles()).toHaveLength(100);
    expect(articles()[0]?.getAttribute('aria-label')).toBe('Call 20000 of fc');
    fireEvent.click(screen.getByText('Show 100 older calls'));
    expect(articles()).toHaveLength(200);
  });

  test('leaves the host when it is taken out', async () => {
    const { host, unmount } = await show(EMPTY);
    unmount();
    expect(() => host.page(page(calls(1, 1)))).not.toThrow();
    expect(screen.queryByRole('region')).toBeNull();
  });
});
