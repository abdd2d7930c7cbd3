import '../../../style/index.css';
import { mount } from '../../../src/panel';
import type { KernelView } from '../../../src/panel/host';
import { FakeHost, view } from './fakeHost';

declare global {
  interface Window {
    host: FakeHost;
    show(pages: unknown[], change?: Partial<KernelView>): void;
  }
}

/** Shows the panel as it is after these pages. */
window.show = (pages, change) => {
  const host = new FakeHost((request) => {
    if (request.type === 'replay') return { type: 'page', page: pages[0] ?? EMPTY };
    return { type: 'refused', code: 'gone', message: '' };
  }, view(change));
  const element = document.querySelector('#panel');
  if (element) mount(element, host);
  for (const page of pages) host.page(page);
  window.host = host;
};

const EMPTY = { protocol: 1, session: 's', after: 0, upto: 0, latest: 0, envelopes: [] };
