import { createContext, useContext, useSyncExternalStore } from 'react';
import type { PanelModel } from '../model/panelModel';
import type { Reading } from '../model/reading';

const Model = createContext<PanelModel | null>(null);

export const ModelProvider = Model.Provider;

const InReading = createContext<Reading | null>(null);

export const ReadingProvider = InReading.Provider;

/** The model of the panel that the component stands in. */
export function useModel(): PanelModel {
  const model = useContext(Model);
  if (!model) throw new Error('this component stands outside of a panel');
  return model;
}

/** What is open and what is put away, of the session that is shown. */
export function useReading(): Reading {
  const reading = useContext(InReading);
  if (!reading) throw new Error('this component stands outside of a session');
  useSyncExternalStore(reading.subscribe, reading.version);
  return reading;
}

/** Copies, and says so. */
export function useCopy(): (text: string) => Promise<string> {
  const { host } = useModel();
  return async (text) => {
    await host.copy(text);
    return 'Copied';
  };
}
