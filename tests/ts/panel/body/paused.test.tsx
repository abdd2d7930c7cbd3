import { act, fireEvent, screen, within } from '@testing-library/react';
import { describe, expect, test } from 'vitest';
import type { Stop } from '../../../../src/panel/host';
import { fixture } from '../../fixtures';
import { view } from '../../harness/fakeHost';
import { announced, EMPTY, frames, show } from './show';

const answer = (name: string) => fixture(`paused-answer-${name}.json`).value;
const stop = (number: number): Stop => ({ number, function: 'forward', site: { cell_id: 'cell-2', line: 4 } });
const never = () => new Promise(() => {});
const section = () => screen.getByRole('region', { name: 'Paused' });
const box = () => screen.getByLabelText<HTMLInputElement>('Evaluate in this frame');

/** A panel whose kernel stands in this frame and gives this value. */
async function standing(inspect: string | null, evaluate: string | null = null, kernel = view({ busy: true })) {
  const shown = await show(EMPTY, undefined, kernel);
  const of = (name: string | null) => (name === null ? never() : answer(name));
  shown.host.pausedAnswer = ({ type }) => of(type === 'inspect' ? inspect : evaluate);
  act(() => shown.host.pause(stop(1)));
  await frames();
  return shown;
}

async function enter(text: string): Promise<void> {
  fireEvent.change(box(), { target: { value: text } });
  const form = box().closest('form');
  if (form) fireEvent.submit(form);
  await frames();
}

describe('a paused kernel', () => {
  test('shows where it stands, and leads there', async () => {
    const { host } = await standing('forward');
    expect(section().textContent).toContain('at cell [2], line 4 in forward');
    expect(section().textContent).toContain('return net.fc2(relu)');
    fireEvent.click(within(section()).getByRole('button', { name: 'cell [2], line 4' }));
    expect(host.revealed).toMatchObject([{ cell_id: 'cell-2', line: 4 }]);
  });

  test('says so in the head, and aloud with what comes next', async () => {
    await standing('forward');
    expect(screen.getByRole('status', { name: 'Watch: paused' })).toBeTruthy();
    expect(announced()).toContain('Paused at cell [2], line 4 in forward. net.fc2(relu) comes next');
  });

  test('stands on its own where nothing was recorded, and while the helper is being loaded', async () => {
    await standing('forward', null, view({ status: { type: 'loading' } }));
    expect(section().textContent).toContain('net.fc2(relu)');
  });

  test('is not shown of a kernel that is not in focus', async () => {
    const { host } = await standing('forward');
    act(() => host.focus(view({ id: 'k2' })));
    await frames();
    expect(screen.queryByRole('region', { name: 'Paused' })).toBeNull();
    act(() => host.focus(view()));
    await frames();
    expect(section().textContent).toContain('net.fc2(relu)');
  });

  test('that goes on is not shown any more', async () => {
    const { host } = await standing('forward');
    act(() => host.pause(null));
    await frames();
    expect(section().textContent).toContain('the kernel goes on');
    await frames();
    await frames();
    expect(screen.queryByRole('region', { name: 'Paused' })).toBeNull();
  });

  test('shows what is known without an answer, and asks again on request', async () => {
    const { host } = await standing('refused');
    expect(section().textContent).toContain('at cell, line 4 in forward');
    host.pausedAnswer = () => answer('forward');
    fireEvent.click(within(section()).getByRole('button', { name: 'Ask again' }));
    await frames();
    expect(section().textContent).toContain('net.fc2(relu)');
  });

  test('that does not answer is said to be asked', async () => {
    await standing(null);
    expect(section().textContent).toContain('Reading the frame…');
  });
});

describe('what the line is about to do', () => {
  test('is written with its shapes, and drawn', async () => {
    await standing('forward');
    const product = within(section()).getByRole('article', { name: 'net.fc2(relu) comes next' });
    expect(product.querySelector('.jp-Torchtwin-expression')?.textContent).toBe(
      'relu[3, 8]@net.fc2.weight.T[8, 2]+net.fc2.bias[2]→output[3, 2]',
    );
    const drawing = () => within(product).queryByRole('img');
    expect(drawing()?.getAttribute('aria-label')).toMatch(/^relu, 3 by 8, times/);
    fireEvent.click(within(product).getByRole('button', { name: /fc2/ }));
    expect(drawing()).toBeNull();
  });

  test('and will fail is told with what would fit', async () => {
    await standing('failing');
    const product = within(section()).getByRole('article', { name: 'net.fc2(hidden.T) will raise' });
    expect(product.textContent).toContain('will raise RuntimeError');
    expect(product.textContent).toContain('What would fit:');
    expect([...product.querySelectorAll('.jp-Torchtwin-clash')].map(({ textContent }) => textContent)).toEqual([
      '3',
      '8',
    ]);
    expect(announced().join()).toContain('net.fc2(hidden.T) will raise RuntimeError');
  });

  test('of several products tells how far each is, and what is not known', async () => {
    await standing('several');
    const texts = within(section())
      .getAllByRole('article')
      .map(({ textContent }) => textContent);
    expect(texts[0]).toContain('runs now, line 3');
    expect(texts[1]).toContain('comes next, line 4');
    expect(texts[2]).toContain('Not known: net.fc2(relu) does not exist yet.');
    expect(within(section()).queryByRole('img')).toBeNull();
  });
});

describe('the tensors of the frame', () => {
  test('stand with their statistics, locals first', async () => {
    await standing('forward');
    const table = within(section()).getByRole('table', { name: 'Tensors of the frame' });
    const rows = within(table)
      .getAllByRole('row')
      .map(({ textContent }) => textContent);
    expect(rows[1]).toBe('local');
    expect(rows[2]).toBe('batch[3, 4]float32 · min 1 · max 1 · mean 1 · 0 NaN');
    expect(rows[5]).toBe('global');
    expect(rows[7]).toBe(
      'w[2, 8]float32 · requires grad · has grad · min -0.33 · max 0.35 · mean 0.0125 · 2 NaN · 1 infinite',
    );
    expect(rows[9]).toBe('ghost[4, 4]float32 · meta · it holds no values');
    expect(section().textContent).toContain('and 12 more');
  });

  test('are not spoken of before torch is there', async () => {
    await standing('nothing');
    expect(section().textContent).toContain('PyTorch is not imported yet.');
    expect(section().textContent).not.toContain('No name in this frame');
  });
});

describe('the box', () => {
  test('evaluates, and shows a tensor as a table', async () => {
    const { host } = await standing('forward', 'tensor');
    await enter('hidden @ w.T');
    expect(host.asked.at(-1)).toEqual([1, { type: 'evaluate', expression: 'hidden @ w.T', seconds: 10 }]);
    const table = within(section()).getByRole('table', { name: '3 rows of elements' });
    expect(within(table).getAllByRole('cell')).toHaveLength(24);
    expect(section().textContent).toContain('[0, :3, :8] of [4, 3, 12]');
    expect(announced()).toContain('[4, 3, 12] float32, min -1.25, max 3.5, mean 0.5, 1 NaN');
    expect(box().value).toBe('');
  });

  test('evaluates by its button too, and not while it is empty', async () => {
    const { host } = await standing('forward', 'text');
    const button = screen.getByRole('button', { name: 'Evaluate' });
    fireEvent.click(button);
    expect([button.getAttribute('aria-disabled'), host.asked.length]).toEqual(['true', 1]);
    fireEvent.change(box(), { target: { value: 'x.add_(1) is x' } });
    fireEvent.click(button);
    await frames();
    expect(section().textContent).toContain('TrueIt has changed x, in place: that stays so.It took 2.3 s.');
  });

  test('shows a syntax error at its place', async () => {
    await standing('forward', 'syntax-error');
    await enter('hidden @@ w');
    const result = section().querySelector('.jp-Torchtwin-result');
    expect(result?.querySelector('.jp-Torchtwin-clash')?.textContent).toBe('@');
    expect(result?.textContent).toContain('SyntaxError: invalid syntax, at character 9');
  });

  test('goes through what was evaluated by the arrow keys', async () => {
    await standing('forward', 'text');
    await enter('a');
    await enter('b');
    for (const [key, value] of [
      ['ArrowUp', 'b'],
      ['ArrowUp', 'a'],
      ['ArrowDown', 'b'],
      ['ArrowDown', ''],
    ] as const) {
      fireEvent.keyDown(box(), { key });
      expect(box().value).toBe(value);
    }
  });

  test('stops waiting on request, and the button keeps the focus', async () => {
    await standing('forward');
    await enter('train()');
    const button = screen.getByRole('button', { name: 'Give up' });
    button.focus();
    fireEvent.click(button);
    expect(section().textContent).toContain('waits for a call of torch that runs');
    expect(document.activeElement).toBe(screen.getByRole('button', { name: 'Evaluate' }));
  });

  test('keeps what is being typed over a step', async () => {
    const { host } = await standing('forward');
    fireEvent.change(box(), { target: { value: 'half a thou' } });
    act(() => host.pause(null));
    act(() => host.pause(stop(2)));
    await frames();
    expect(box().value).toBe('half a thou');
  });
});
