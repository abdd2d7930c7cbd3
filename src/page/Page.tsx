import { useEffect, useMemo, useState } from 'react';
import { Panel } from '../panel/mount';
import { type Api, type KernelList, type KernelRow, ServerError } from './api';
import { nameOf, PageHost } from './host';

const EVERY = 3000;

/** The panel below a list of kernels to choose from. What is chosen stands in the address, so a reload keeps it. */
export function Page({ api }: { api: Api }) {
  const host = useMemo(() => new PageHost(api), [api]);
  const { list, trouble } = useKernels(api);
  const [wanted, want] = useWanted();
  const kernels = list?.kernels ?? [];
  const chosen = kernels.find(({ kernel }) => kernel === wanted) ?? (wanted ? null : (newest(kernels) ?? null));
  useEffect(() => host.choose(chosen), [host, chosen]);
  useEffect(() => {
    document.title = chosen ? `${nameOf(chosen)} – Torchtwin` : 'Torchtwin';
  }, [chosen]);
  return (
    <div className='jp-TorchtwinPage'>
      <header className='jp-TorchtwinPage-head'>
        <label>
          Kernel{' '}
          <select value={chosen?.kernel ?? ''} onChange={(event) => want(event.target.value)}>
            {!chosen && <option value=''>{list ? none(wanted, kernels.length) : 'reading the list…'}</option>}
            {kernels.map((row) => (
              <option key={row.kernel} value={row.kernel}>
                {title(row)}
              </option>
            ))}
          </select>
        </label>
        <div role='status'>{trouble ?? list?.problem ?? (chosen && !chosen.running && 'This kernel has ended.')}</div>
      </header>
      <main className='jp-TorchtwinPage-panel'>
        <Panel host={host} />
      </main>
    </div>
  );
}

/** The list, read anew from time to time while somebody looks at the page. */
function useKernels(api: Api): { list: KernelList | null; trouble: string | null } {
  const [list, setList] = useState<KernelList | null>(null);
  const [trouble, setTrouble] = useState<string | null>(null);
  useEffect(() => {
    const read = () => {
      if (document.hidden) return;
      api.kernels().then(
        (found) => {
          setTrouble(null);
          setList((before) => (JSON.stringify(before) === JSON.stringify(found) ? before : found));
        },
        (error) => setTrouble(wordsOf(error)),
      );
    };
    read();
    const timer = setInterval(read, EVERY);
    document.addEventListener('visibilitychange', read);
    return () => {
      clearInterval(timer);
      document.removeEventListener('visibilitychange', read);
    };
  }, [api]);
  return { list, trouble };
}

/** The kernel that the address names, `#kernel=<id>`. */
function useWanted(): [string, (kernel: string) => void] {
  const [wanted, setWanted] = useState(fromAddress);
  useEffect(() => {
    const read = () => setWanted(fromAddress());
    window.addEventListener('hashchange', read);
    return () => window.removeEventListener('hashchange', read);
  }, []);
  return [
    wanted,
    (kernel) => {
      window.location.hash = `kernel=${encodeURIComponent(kernel)}`;
    },
  ];
}

function fromAddress(): string {
  return new URLSearchParams(window.location.hash.slice(1)).get('kernel') ?? '';
}

function newest(kernels: readonly KernelRow[]): KernelRow | undefined {
  return kernels.find(({ running }) => running) ?? kernels[0];
}

function title(row: KernelRow): string {
  const calls = row.sessions[0]?.calls ?? 0;
  const ended = row.running ? '' : ', ended';
  return `${row.path || nameOf(row)} (${calls.toLocaleString('en')} ${calls === 1 ? 'call' : 'calls'}${ended})`;
}

function none(wanted: string, kernels: number): string {
  if (wanted) return 'that kernel has no records any more';
  return kernels ? 'choose one' : 'no kernel runs or has records';
}

function wordsOf(error: unknown): string {
  if (error instanceof ServerError && error.status === 403) return 'You are not logged in any more: reload the page.';
  return error instanceof Error ? error.message : String(error);
}
