import { createContext, useContext } from 'react';
import type { PanelModel } from '../model/panelModel';

const Model = createContext<PanelModel | null>(null);

export const ModelProvider = Model.Provider;

/** The model of the panel that the component stands in. */
export function useModel(): PanelModel {
  const model = useContext(Model);
  if (!model) throw new Error('this component stands outside of a panel');
  return model;
}

/** Copies, and says so. */
export function useCopy(): (text: string) => Promise<string> {
  const { host } = useModel();
  return async (text) => {
    await host.copy(text);
    return 'Copied';
  };
}
