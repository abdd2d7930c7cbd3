import { useRef, useState } from 'react';
import type { Call } from '../../protocol';
import type { CallLog } from '../model/callLog';
import { callWindow } from '../model/callWindow';
import { count } from '../model/numbers';
import { Button } from './Button';
import { CallCard } from './CallCard';
import { useReading } from './context';
import { useFocusAfter } from './focus';
import { Section } from './Section';

const STEP = 100;

interface Props {
  calls: CallLog;
  watching: boolean;
}

/** The calls that did not raise, newest first, a hundred at first; what was opened stays while newer ones come. */
export function CallList({ calls, watching }: Props) {
  const reading = useReading();
  const [shown, setShown] = useState(STEP);
  const list = useRef<HTMLDivElement>(null);
  const focusAfter = useFocusAfter();
  const { newest, kept, hidden } = callWindow(calls, shown, reading.touched);
  const showOlder = () => {
    setShown(shown + STEP);
    if (hidden <= STEP) focusAfter(() => list.current?.querySelectorAll('article')[shown]?.querySelector('button'));
  };
  const card = (call: Call) => (
    <CallCard key={call.id} call={call} open={reading.isOpen(call.id)} toggle={reading.toggle} />
  );
  // In one list, so that a card keeps its state where it is left behind. Of its own key, so that no card is moved.
  const older = <Older key={kept.length ? 'between' : 'last'} hidden={hidden} show={showOlder} />;
  return (
    <Section title='Calls' remark='newest first'>
      {newest.length === 0 && <p className='jp-Torchtwin-more'>{none(calls, watching)}</p>}
      <div ref={list}>{[...newest.map(card), older, ...kept.map(card)]}</div>
    </Section>
  );
}

function Older({ hidden, show }: { hidden: number; show: () => void }) {
  if (hidden <= 0) return null;
  return (
    <p className='jp-Torchtwin-more'>
      <Button onClick={show}>{`Show ${count(Math.min(hidden, STEP))} older calls`}</Button>{' '}
      <span className='jp-Torchtwin-quiet'>of {count(hidden)}</span>
    </p>
  );
}

function none({ tally }: CallLog, watching: boolean): string {
  if (!watching) return 'The watch is off: switch it on to record the calls of nn.Linear.';
  return tally.failed ? 'No other calls yet.' : 'Run a cell that calls nn.Linear.';
}
