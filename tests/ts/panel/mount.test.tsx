import { act } from '@testing-library/react';
import { expect, test } from 'vitest';
import { mount } from '../../../src/panel';
import { FakeHost } from '../harness/fakeHost';

test('a panel that is taken out leaves its element and its host', async () => {
  Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });
  const [host, element] = [new FakeHost(), document.createElement('div')];
  let unmount = () => {};
  await act(async () => {
    unmount = mount(element, host);
  });
  expect([host.heard, element.querySelectorAll('section').length > 0]).toEqual([1, true]);
  await act(async () => unmount());
  expect([host.heard, element.textContent]).toEqual([0, '']);
});
