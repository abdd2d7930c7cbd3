import { fireEvent, screen } from '@testing-library/react';
import { describe, expect, test } from 'vitest';
import { RequestError } from '../../../../src/panel/host';
import { callOf } from '../../fixtures';
import { call, page } from '../model/build';
import { type Answer, alerted, announced, frames, show, value } from './show';

const large = callOf('page-long-names.json');

describe('large operands', () => {
  const shown = () => show(value('page-long-names.json'), (request) => answer(request));
  let answer: Answer;
  const ask = async (index: string) => {
    fireEvent.click(screen.getByRole('button', { name: /feed_forward/ }));
    fireEvent.change(screen.getByLabelText('element of [8, 64, 1024]'), { target: { value: index } });
    fireEvent.click(screen.getByRole('button', { name: 'Show' }));
    await frames();
  };

  test('are asked for an element', async () => {
    answer = () => value('reply-element.json');
    const { host, container } = await shown();
    await ask('0, 3, 7');
    expect(host.requests.at(-1)).toEqual({ type: 'element', call: 6, of: 'output', index: [0, 3, 7] });
    expect(container.textContent).toContain('output[0, 3, 7] = 10·21 + 20·22 + 32 = 682');
  });

  test('that are gone are said to be gone', async () => {
    answer = () => value('reply-refused-gone.json');
    const { container } = await shown();
    await ask('0, 0, 0');
    expect(container.textContent).toContain('These tensors are gone: ');
    expect(screen.queryByRole('button', { name: 'Ask again' })).toBeNull();
  });

  test('that are not kept are said to be so, without advice that cannot help', async () => {
    answer = () => value('reply-refused-too-large.json');
    const { container } = await shown();
    await ask('0, 0, 0');
    expect(container.textContent).toContain('of more than 256 none is kept.');
    expect(container.textContent).not.toContain('Run the cell again');
    expect(screen.queryByRole('button', { name: 'Ask again' })).toBeNull();
  });

  test('of a busy kernel can be asked for again', async () => {
    answer = () => {
      throw new RequestError('busy', 'time-out');
    };
    const { host, container } = await shown();
    await ask('0, 0, 0');
    expect(container.textContent).toContain('The kernel is busy.');
    answer = () => value('reply-element.json');
    const again = screen.getByRole('button', { name: 'Ask again' });
    again.focus();
    fireEvent.click(again);
    await frames();
    expect(container.textContent).toContain('output[0, 0, 0] = 10·21 + 20·22 + 32 = 682');
    expect(host.requests.filter(({ type }) => type === 'element')).toHaveLength(2);
    expect(document.activeElement?.textContent).toMatch(/^output\[0, 0, 0\] = /);
  });

  test('need an index that lies inside', async () => {
    answer = () => value('reply-element.json');
    const { host } = await shown();
    await ask('9, 0, 0');
    expect(alerted()).toContain('[8, 64, 1024]');
    expect(host.requests.every(({ type }) => type === 'replay')).toBe(true);
  });

  test('with long rows are shortened in the middle until asked', async () => {
    const many = Array.from({ length: 256 }, (_, index) => index);
    const terms = { type: 'element', left: many, right: many.map(() => 1), left_name: 'x[0]', right_name: 'w[0]' };
    answer = () => ({ ...terms, bias: null, bias_name: null, layer: 32640 });
    const { container } = await shown();
    await ask('0, 0, 0');
    expect(container.textContent).toContain('= 0·1 + 1·1 + 2·1 + 3·1 + … 248 more … + 252·1');
    expect(container.textContent).toContain('= 32640');
    expect(announced().join()).toContain('output[0, 0, 0] = 0·1 + 1·1 + 2·1 + 3·1 + 248 more + 252·1');
    const more = screen.getByRole('button', { name: '… 248 more …' });
    more.focus();
    fireEvent.click(more);
    expect(container.textContent).toContain('127·1 + 128·1');
    expect(document.activeElement?.textContent).toMatch(/^output\[0, 0, 0\] = /);
  });

  test('of a call that was not checked are asked for as well', async () => {
    answer = () => value('reply-element.json');
    const reason = 'large: 134,217,728 multiply-adds';
    const verdict = { kind: 'unchecked', message: `not checked: ${reason}`, reason } as const;
    const gradients = { weight: verdict, bias: verdict, input: verdict };
    const { host } = await show(page([call(6, { ...large, forward: verdict, gradients })]), (request) =>
      answer(request),
    );
    await ask('0, 3, 7');
    expect(host.requests.at(-1)).toMatchObject({ type: 'element', of: 'output', index: [0, 3, 7] });
    expect(screen.queryByRole('button', { name: /grad$/ })).toBeNull();
  });
});

describe('a gradient, which the kernel does not keep', () => {
  test('of more than 256 elements is said to be not here, without a form', async () => {
    const { host, container } = await show(value('page-long-names.json'));
    fireEvent.click(screen.getByRole('button', { name: /feed_forward/ }));
    fireEvent.click(screen.getByRole('button', { name: 'weight grad' }));
    expect(container.textContent).toContain('Its 262,144 elements aren’t here');
    expect(screen.queryByRole('textbox')).toBeNull();
    expect(host.requests.every(({ type }) => type === 'replay')).toBe(true);
  });

  test('is not asked for where only its factors did not travel', async () => {
    const exercise = callOf('page-exercise.json');
    const { host, container } = await show(page([{ ...exercise, values: { ...exercise.values, grad_output: null } }]));
    fireEvent.click(screen.getByRole('button', { name: 'fc' }));
    fireEvent.click(screen.getByRole('button', { name: 'weight grad' }));
    fireEvent.click(screen.getByRole('button', { name: /^weight gradient\[2, 1\]: 20/ }));
    expect(container.textContent).toContain('How it came about can’t be told');
    expect(announced().join()).toContain('How it came about can’t be told');
    expect(host.requests.every(({ type }) => type === 'replay')).toBe(true);
  });
});

describe('an element in the grid', () => {
  const grid = async (name: string) => {
    await show(value(name));
    fireEvent.click(screen.getByRole('button', { name: /^(head|fc)$/ }));
  };

  test('has both values on hover', async () => {
    await grid('page-autocast.json');
    expect(screen.getByRole('button', { name: /^out\[1, 1\]/ }).title).toBe('out[1, 1]\nlayer 1.375\nformula 1.38');
  });

  test('is told to differ beyond rounding only where it does', async () => {
    const different = callOf('page-different.json');
    const forward = { ...different.forward, outside: [0] };
    await show(page([{ ...different, forward }]));
    fireEvent.click(screen.getByRole('button', { name: 'head' }));
    expect(screen.getAllByRole('button', { name: /: .*, differs beyond rounding$/ })).toHaveLength(1);
    expect(screen.getAllByRole('button', { name: /: .*, differs by rounding$/ })).toHaveLength(23);
  });
});
