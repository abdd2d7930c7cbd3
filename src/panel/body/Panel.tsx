import { useSyncExternalStore } from 'react';
import { countsOf } from '../model/counts';
import type { KernelSync } from '../model/kernelSync';
import type { PanelModel, Snapshot } from '../model/panelModel';
import { Boundary } from './Boundary';
import { Calls } from './Calls';
import { CountsBar } from './CountsBar';
import { ModelProvider, ReadingProvider } from './context';
import { Empty } from './Empty';
import { Failures } from './Failures';
import { Head } from './Head';
import { Paused } from './Paused';
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

function Content({ snapshot: { view, screen, sync, pause } }: { snapshot: Snapshot }) {
  const counted = sync && sync.records.session !== null && view.status.type === 'ready';
  const key = `${view.id} ${sync?.records.session}`;
  return (
    <div className='jp-Torchtwin-content' tabIndex={-1} aria-busy={view.restarting}>
      <Boundary of={key}>
        <div>
          {pause && <Paused key={`paused ${view.id}`} pause={pause} />}
          {counted && (
            <CountsBar
              key={`counts ${key}`}
              counts={countsOf(sync.records)}
              state={sync.records.state}
              busy={view.busy}
            />
          )}
          {sync && screen.type === 'data' && <Data key={`data ${key}`} sync={sync} />}
          <Empty screen={screen} />
        </div>
      </Boundary>
    </div>
  );
}

function Data({ sync: { records } }: { sync: KernelSync }) {
  const unknown = [...records.unknown];
  const { calls } = records;
  return (
    <ReadingProvider value={records.reading}>
      <Failures calls={calls} />
      {records.tensors && records.tensors.rows.length > 0 && <TensorSection tensors={records.tensors} />}
      <Calls calls={calls} watching={records.state?.watching !== false} />
      {unknown.length > 0 && (
        <p className='jp-Torchtwin-more'>Unknown to this version of the panel: {unknown.join(', ')}.</p>
      )}
    </ReadingProvider>
  );
}
