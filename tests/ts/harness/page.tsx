import '../../../style/index.css';
import { mount } from '../../../src/panel';
import { type KernelView, RequestError } from '../../../src/panel/host';
import { FakeHost, view } from './fakeHost';

/** What a paused frame answers to a question of this type. Without an answer it never does. */
type Answers = Partial<Record<'inspect' | 'evaluate', unknown>>;

declare global {
  interface Window {
    host: FakeHost;
    view: KernelView;
    show(pages: unknown[], change?: Partial<KernelView>, paused?: Answers): void;
  }
}

/** Shows the panel as it is after these pages. */
window.show = (pages, change, paused) => {
  window.view = view(change);
  const host = new FakeHost((request) => {
    if (request.type === 'replay') return { type: 'page', page: pages[0] ?? EMPTY };
    if (request.type === 'element') return { type: 'refused', code: 'gone', message: '' };
    throw new RequestError('busy', 'time-out');
  }, window.view);
  const element = document.querySelector('#panel');
  if (element) mount(element, host);
  for (const page of pages) host.page(page);
  if (paused) {
    host.pausedAnswer = ({ type }) => paused[type] ?? new Promise(() => {});
    host.pause({ number: 1, function: 'forward', site: { cell_id: 'cell-2', line: 4 } });
  }
  window.host = host;
};

const EMPTY = { protocol: 1, session: 's', after: 0, upto: 0, latest: 0, envelopes: [] };
