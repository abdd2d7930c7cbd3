import type { KernelStatus, KernelView } from '../host';
import type { KernelSync } from './kernelSync';

/** How the watch stands, in a word for a person and a tone for its dot. */
export interface WatchState {
  word: string;
  tone: 'on' | 'off' | 'wait' | 'none';
}

export function watchState(view: KernelView, sync: KernelSync | null): WatchState {
  if (view.id === null || view.status.type === 'none') return { word: 'no kernel', tone: 'none' };
  if (view.restarting) return { word: 'kernel restarting', tone: 'wait' };
  if (view.status.type !== 'ready') return STATUS[view.status.type];
  if (sync?.trouble?.type === 'busy') return { word: 'kernel busy', tone: 'wait' };
  if (sync?.trouble?.type === 'disconnected') return STATUS.connecting;
  const state = sync?.records.state;
  if (sync?.records.restarted && state?.watching !== false) return { word: 'kernel restarted', tone: 'wait' };
  if (!state) return { word: 'connecting', tone: 'wait' };
  if (!state.watching) return { word: 'off', tone: 'off' };
  if (state.torch === null) return { word: 'no torch yet', tone: 'wait' };
  return sync?.longBusy ? { word: 'watching, kernel busy', tone: 'wait' } : { word: 'watching', tone: 'on' };
}

const STATUS: Record<Exclude<KernelStatus['type'], 'none' | 'ready'>, WatchState> = {
  connecting: { word: 'connecting', tone: 'wait' },
  dead: { word: 'kernel dead', tone: 'none' },
  loading: { word: 'loading', tone: 'wait' },
  'not-loaded': { word: 'not loaded', tone: 'none' },
  missing: { word: 'not installed', tone: 'none' },
  failed: { word: 'failed', tone: 'none' },
  'other-language': { word: 'not Python', tone: 'none' },
};
