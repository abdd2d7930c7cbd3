import { useSyncExternalStore } from 'react';
import { countsOf } from '../model/counts';
import type { KernelSync } from '../model/kernelSync';
import type { PanelModel, Snapshot } from '../model/panelModel';
import { CallList } from './CallList';
import { CountsBar } from './CountsBar';
import { ModelProvider } from './context';
import { Empty } from './Empty';
import { Failures } from './Failures';
import { Head } from './Head';
import { TensorSection } from './TensorTable';

/** The whole panel, drawn from its model. */
export function PanelBody({ model }: { model: PanelModel }) {
  const snapshot = useSyncExternalStore(model.subscribe, model.snapshot);
  return (
    <ModelProvider value={model}>
      <section aria-label='Torchtwin' className='jp-Torchtwin'>
        <Head {...snapshot} />
        <Content snapshot={snapshot} />
      </section>
    </ModelProvider>
  );
}

function Content({ snapshot: { view, screen, sync } }: { snapshot: Snapshot }) {
  const shown = sync && sync.records.session !== null && view.status.type === 'ready';
  return (
    <div className='jp-Torchtwin-content' aria-busy={view.restarting}>
      {shown && <CountsBar counts={countsOf(sync.records)} />}
      {sync && screen.type === 'data' ? <Data key={dataKey(view.id, sync)} sync={sync} /> : null}
      {screen.type !== 'data' && <Empty screen={screen} />}
    </div>
  );
}

/** Another kernel or session starts with everything folded. */
function dataKey(id: string | null, { records }: KernelSync): string {
  return `${id} ${records.session}`;
}

function Data({ sync: { records } }: { sync: KernelSync }) {
  const unknown = [...records.unknown];
  return (
    <>
      <Failures calls={records.calls} />
      {records.tensors && records.tensors.rows.length > 0 && <TensorSection tensors={records.tensors} />}
      <CallList calls={records.calls} watching={records.state?.watching !== false} />
      {unknown.length > 0 && (
        <p className='jp-Torchtwin-more'>Unknown to this version of the panel: {unknown.join(', ')}.</p>
      )}
    </>
  );
}
