import { useState } from 'react';
import type { CallLog } from '../model/callLog';
import { count } from '../model/numbers';
import { Button } from './Button';
import { CallCard } from './CallCard';
import { Section } from './Section';

const STEP = 100;

interface Props {
  calls: CallLog;
  watching: boolean;
}

/** The calls that did not raise, newest first, a hundred at first. */
export function CallList({ calls, watching }: Props) {
  const [shown, setShown] = useState(STEP);
  const newest = calls.newest(shown, (outcome) => outcome !== 'failed');
  const older = calls.size - calls.tally.failed - newest.length;
  return (
    <Section title='Calls' remark='newest first'>
      {newest.length === 0 && <p className='jp-Torchtwin-more'>{none(calls, watching)}</p>}
      {newest.map((call) => (
        <CallCard key={call.id} call={call} />
      ))}
      {older > 0 && (
        <p className='jp-Torchtwin-more'>
          <Button onClick={() => setShown(shown + STEP)}>{`Show ${count(Math.min(older, STEP))} older calls`}</Button>{' '}
          <span className='jp-Torchtwin-quiet'>of {count(older)}</span>
        </p>
      )}
    </Section>
  );
}

function none({ tally }: CallLog, watching: boolean): string {
  if (!watching) return 'The watch is off: switch it on to record the calls of nn.Linear.';
  return tally.failed ? 'No other calls yet.' : 'Run a cell that calls nn.Linear.';
}
