import { useState } from 'react';
import type { Answer } from '../model/answer';
import type { Snapshot } from '../model/panelModel';
import { Button } from './Button';
import { useModel } from './context';

/** Whose calls these are, how the watch stands, and the switches. */
export function Head({ view, watch, sync }: Snapshot) {
  const model = useModel();
  const { notice, working, run } = useAction();
  const state = sync?.records.state;
  const usable = view.status.type === 'ready' && !view.restarting && !working;
  return (
    <>
      <header className='jp-Torchtwin-head'>
        <span className={`jp-Torchtwin-dot jp-mod-${watch.tone}`} aria-hidden='true' />
        <strong className='jp-Torchtwin-kernel' title={view.name}>
          {view.name || 'Torchtwin'}
        </strong>
        <span className='jp-Torchtwin-watch' role='status' aria-label={`Watch: ${watch.word}`}>
          {watch.word}
        </span>
        {state && (
          <span className='jp-Torchtwin-switches'>
            <Button
              disabled={!usable}
              onClick={() => run(model.setWatch(!state.watching))}
              title={SWITCH(state.watching)}
            >
              {state.watching ? 'Off' : 'On'}
            </Button>
            <Button disabled={!usable} onClick={() => run(model.clear())} title='Forget all recorded calls'>
              Clear
            </Button>
          </span>
        )}
      </header>
      {notice && (
        <p role='alert' className='jp-Torchtwin-notice'>
          {notice}
        </p>
      )}
    </>
  );
}

const SWITCH = (watching: boolean) => (watching ? 'Stop recording calls' : 'Record calls of nn.Linear');

/** Runs one action at a time and keeps the sentence that says why it failed. */
function useAction() {
  const [notice, setNotice] = useState('');
  const [working, setWorking] = useState(false);
  const run = async (action: Promise<Answer>) => {
    setWorking(true);
    const answer = await action;
    setWorking(false);
    setNotice(answer.type === 'refused' ? answer.message : '');
  };
  return { notice, working, run };
}
