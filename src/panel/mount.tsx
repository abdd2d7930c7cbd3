import { useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { PanelBody } from './body/Panel';
import type { Host } from './host';
import { PanelModel } from './model/panelModel';

/** The panel as a component, for a host that runs React itself. */
export function Panel({ host }: { host: Host }) {
  const [model, setModel] = useState<PanelModel | null>(null);
  useEffect(() => {
    const fresh = new PanelModel(host);
    setModel(fresh);
    return fresh.start();
  }, [host]);
  return model && <PanelBody model={model} />;
}

/** Puts the panel into an element. Returns the way to take it out again. */
export function mount(element: Element, host: Host): () => void {
  const root = createRoot(element);
  root.render(<Panel host={host} />);
  return () => root.unmount();
}
