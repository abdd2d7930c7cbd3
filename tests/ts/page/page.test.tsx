import { act, cleanup, fireEvent, render, screen } from '@testing-library/react';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Api, type KernelList, type KernelRow, ServerError } from '../../../src/page/api';
import { PageHost } from '../../../src/page/host';
import type { Socket } from '../../../src/page/live';
import { Page } from '../../../src/page/Page';
import { RequestError } from '../../../src/panel/host';

const ROW: KernelRow = {
  kernel: 'k1',
  path: 'lessons/first.ipynb',
  running: true,
  sessions: [{ session: 's', calls: 1200, seen: 0 }],
};
const ENDED: KernelRow = { kernel: 'k2', path: '', running: false, sessions: [{ session: 't', calls: 1, seen: 0 }] };

class Silent implements Socket {
  static all: Silent[] = [];
  onopen = null;
  onmessage = null;
  onclose = null;
  isClosed = false;

  constructor(readonly url: string) {
    Silent.all.push(this);
  }

  close(): void {
    this.isClosed = true;
  }
}

class FakeApi extends Api {
  list: KernelList | ServerError = { kernels: [ROW, ENDED], problem: null };
  asked: unknown[] = [];

  constructor() {
    super('/base/');
  }

  override async kernels(): Promise<KernelList> {
    if (this.list instanceof ServerError) throw this.list;
    return this.list;
  }

  override async records(...asked: [string, number, number]): Promise<unknown> {
    this.asked.push(asked);
    if (asked[0] === 'gone') throw new ServerError(0, 'The server does not answer.');
    return { a: 'page' };
  }
}

beforeEach(() => {
  Silent.all = [];
  vi.stubGlobal('WebSocket', Silent);
  window.location.hash = '';
});

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

async function shown(api: FakeApi): Promise<void> {
  await act(async () => {
    render(<Page api={api} />);
  });
}

describe('Page', () => {
  test('shows the newest running kernel, and names each with its calls', async () => {
    await shown(new FakeApi());
    const choice = screen.getByLabelText('Kernel') as HTMLSelectElement;
    expect([...choice.options].map(({ text }) => text)).toEqual([
      'lessons/first.ipynb (1,200 calls)',
      'kernel k2 (1 call, ended)',
    ]);
    expect(choice.value).toBe('k1');
    expect(Silent.all.map(({ url }) => url)).toEqual([
      'ws://localhost:3000/base/torchtwin/api/kernels/k1/live?after=0',
    ]);
    expect(document.title).toBe('first.ipynb – Torchtwin');
  });

  test('another kernel is chosen from the list, stands in the address and is followed alone', async () => {
    await shown(new FakeApi());
    await act(async () => {
      fireEvent.change(screen.getByLabelText('Kernel'), { target: { value: 'k2' } });
      window.dispatchEvent(new HashChangeEvent('hashchange'));
    });
    expect(window.location.hash).toBe('#kernel=k2');
    expect(Silent.all.map(({ isClosed }) => isClosed)).toEqual([true, false]);
    expect(screen.getByText('This kernel has ended.')).toBeTruthy();
  });

  test('the kernel in the address is shown, and missed when it is not there', async () => {
    window.location.hash = '#kernel=k9';
    await shown(new FakeApi());
    expect(screen.getByText('that kernel has no records any more')).toBeTruthy();
    expect(Silent.all).toEqual([]);
  });

  test.each([
    [new ServerError(0, 'The server does not answer.'), 'The server does not answer.'],
    [new ServerError(403, 'Forbidden'), 'You are not logged in any more: reload the page.'],
    [{ kernels: [ROW], problem: 'the disk is full' }, 'the disk is full'],
  ])('what is wrong is said: %s', async (list, words) => {
    const api = new FakeApi();
    api.list = list;
    await shown(api);
    expect(screen.getByText(words)).toBeTruthy();
  });

  test('without kernels it says so', async () => {
    const api = new FakeApi();
    api.list = { kernels: [], problem: null };
    await shown(api);
    expect(screen.getByText('no kernel runs or has records')).toBeTruthy();
  });
});

describe('PageHost', () => {
  test('a replay is answered from the store', async () => {
    const api = new FakeApi();
    const host = new PageHost(api);
    expect(await host.request('k1', { type: 'replay', after: 7, limit: 10 })).toEqual({
      type: 'page',
      page: { a: 'page' },
    });
    expect(api.asked).toEqual([['k1', 7, 10]]);
  });

  test('what only the kernel could answer, and a server that is away, are told as disconnected', async () => {
    const host = new PageHost(new FakeApi());
    for (const asked of [
      host.request('k1', { type: 'clear' }),
      host.request('gone', { type: 'replay', after: 0 }),
      host.load(),
      host.askPaused('k1', 1, { type: 'inspect' }),
    ]) {
      await expect(asked).rejects.toBeInstanceOf(RequestError);
      await expect(asked).rejects.toMatchObject({ code: 'disconnected' });
    }
  });
});

describe('Api', () => {
  test('asks below the base, and tells the message of a refusal', async () => {
    const fetched = vi.fn(
      async (_: string) => new Response(JSON.stringify({ message: 'no such kernel' }), { status: 404 }),
    );
    vi.stubGlobal('fetch', fetched);
    await expect(new Api('/base/').records('a/b', 3, 5)).rejects.toMatchObject({
      status: 404,
      message: 'no such kernel',
    });
    expect(fetched.mock.calls[0]?.[0]).toBe('/base/torchtwin/api/kernels/a%2Fb/records?after=3&limit=5');
  });

  test('a server that does not answer has no status', async () => {
    vi.stubGlobal('fetch', async () => {
      throw new TypeError('failed to fetch');
    });
    await expect(new Api('/').kernels()).rejects.toMatchObject({ status: 0 });
  });
});
