import type { Mode } from '../../protocol';
import { modeOf } from '../model/mode';
import type { Snapshot } from '../model/panelModel';
import { Button } from './Button';
import { useModel } from './context';
import { ModeSelect } from './ModeSelect';
import { type Action, useAction } from './useAction';

/** Whose calls these are, how the watch stands, and the switches. */
export function Head({ view, watch, sync }: Snapshot) {
  const { notice, refusals, working, run } = useAction({ view, sync });
  const idle = view.status.type !== 'ready' || view.restarting || working;
  return (
    <>
      <header className='jp-Torchtwin-head'>
        <span className={`jp-Torchtwin-dot jp-mod-${watch.tone}`} aria-hidden='true' />
        <Whose name={view.name} kernelName={view.kernelName} />
        <span className='jp-Torchtwin-watch' role='status' aria-label={`Watch: ${watch.word}`}>
          {watch.word}
        </span>
        <Switches sync={sync} idle={idle} refusals={refusals} run={run} />
      </header>
      <div role='alert'>
        {/* Another element is read aloud, whatever its words. */}
        {notice && (
          <p key={refusals} className='jp-Torchtwin-notice'>
            {notice}
          </p>
        )}
      </div>
    </>
  );
}

/** The notebook's name, and quietly under it the kernel's: both may be shortened, and are whole on hover. */
function Whose({ name, kernelName }: Pick<Snapshot['view'], 'name' | 'kernelName'>) {
  return (
    <span className='jp-Torchtwin-whose'>
      <strong title={name}>{name || 'Torchtwin'}</strong>
      {kernelName && (
        <span className='jp-Torchtwin-kernelName' title={kernelName}>
          {kernelName}
        </span>
      )}
    </span>
  );
}

interface SwitchesProps extends Pick<Snapshot, 'sync'> {
  idle: boolean;
  refusals: number;
  run: (action: Action) => void;
}

function Switches({ sync, idle, refusals, run }: SwitchesProps) {
  const model = useModel();
  const state = sync?.records.state;
  if (!state) return null;
  const { watching } = state;
  const { clearings } = sync.records;
  const turn: Action = { ask: () => model.setWatch(!watching), done: (now) => now.state?.watching === !watching };
  const clear: Action = { ask: () => model.clear(), done: (now) => now.clearings > clearings };
  const check = (mode: Mode): Action => ({
    ask: () => model.setMode(mode),
    done: (now) => now.state !== null && modeOf(now.state) === mode,
  });
  return (
    <span className='jp-Torchtwin-switches'>
      <ModeSelect
        key={sync.records.session}
        mode={modeOf(state)}
        {...{ idle, refusals }}
        choose={(mode) => run(check(mode))}
      />
      <Button idle={idle} onClick={() => run(turn)} title={SWITCH(watching)}>
        {watching ? 'Off' : 'On'}
      </Button>
      <Button idle={idle} onClick={() => run(clear)} title='Forget all recorded calls'>
        Clear
      </Button>
    </span>
  );
}

const SWITCH = (watching: boolean) => (watching ? 'Stop recording calls' : 'Record calls of nn.Linear');
