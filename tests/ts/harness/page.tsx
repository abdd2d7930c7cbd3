import '../../../style/index.css';
import { mount } from '../../../src/panel';
import { type KernelView, RequestError } from '../../../src/panel/host';
import { FakeHost, view } from './fakeHost';

declare global {
  interface Window {
    host: FakeHost;
    view: KernelView;
    show(pages: unknown[], change?: Partial<KernelView>): void;
  }
}

/** Shows the panel as it is after these pages. */
window.show = (pages, change) => {
  window.view = view(change);
  const host = new FakeHost((request) => {
    if (request.type === 'replay') return { type: 'page', page: pages[0] ?? EMPTY };
    if (request.type === 'element') return { type: 'refused', code: 'gone', message: '' };
    throw new RequestError('busy', 'time-out');
  }, window.view);
  const element = document.querySelector('#panel');
  if (element) mount(element, host);
  for (const page of pages) host.page(page);
  window.host = host;
};

const EMPTY = { protocol: 1, session: 's', after: 0, upto: 0, latest: 0, envelopes: [] };
