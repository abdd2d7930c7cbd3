import type { KernelView } from '../host';
import type { KernelSync } from './kernelSync';

/** What the panel shows: always exactly one of these. */
export type Screen =
  | { type: 'no-kernel' }
  | { type: 'other-language'; language: string }
  | { type: 'connecting' }
  | { type: 'loading' }
  | { type: 'reading' }
  | { type: 'kernel-busy' }
  | { type: 'missing'; install: string }
  | { type: 'not-loaded' }
  | { type: 'other-protocol'; protocol: number }
  | { type: 'error'; message: string }
  | { type: 'empty'; watching: boolean; torch: boolean }
  | { type: 'data' };

/** The screen for the kernel in focus; `sync` is null when there is none. */
export function screenOf({ id, status }: KernelView, sync: KernelSync | null): Screen {
  if (id === null || status.type === 'none' || !sync) return { type: 'no-kernel' };
  if (sync.trouble?.type === 'other-protocol') return sync.trouble;
  if (status.type === 'connecting' || status.type === 'loading') return hasData(sync) ? { type: 'data' } : status;
  if (status.type === 'dead') return { type: hasData(sync) ? 'data' : 'no-kernel' };
  if (status.type === 'failed') return { type: 'error', message: status.message };
  return status.type === 'ready' ? readyScreen(sync) : status;
}

function readyScreen(sync: KernelSync): Screen {
  const { trouble, records } = sync;
  if (trouble?.type === 'failed') return { type: 'error', message: trouble.message };
  if (hasData(sync)) return { type: 'data' };
  if (trouble?.type === 'busy') return { type: 'kernel-busy' };
  if (trouble?.type === 'disconnected') return { type: 'connecting' };
  if (!records.state) return { type: sync.reading ? 'reading' : 'empty', watching: true, torch: true };
  return { type: 'empty', watching: records.state.watching, torch: records.state.torch !== null };
}

function hasData({ records }: KernelSync): boolean {
  return records.calls.size > 0 || (records.tensors?.rows.length ?? 0) > 0;
}
