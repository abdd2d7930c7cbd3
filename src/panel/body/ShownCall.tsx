import { useLayoutEffect, useRef } from 'react';
import type { Call } from '../../protocol';
import { CallCard } from './CallCard';
import { useReading } from './context';
import { FailureCard } from './Failures';

/** One call alone, brought into sight. */
export function ShownCall({ call }: { call: Call }) {
  const frame = useRef<HTMLDivElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: for another call anew, not for another state of it
  useLayoutEffect(() => {
    // In newer browsers it answers a promise, which React would take for the way to undo it.
    void frame.current?.scrollIntoView?.({ block: 'nearest' });
  }, [call.id]);
  return (
    <div ref={frame} className='jp-Torchtwin-shown'>
      <Card call={call} />
    </div>
  );
}

function Card({ call }: { call: Call }) {
  const reading = useReading();
  const open = reading.isOpen(call.id);
  if (!call.error) return <CallCard {...{ call, open }} toggle={reading.toggle} alone place={1} of={1} />;
  return (
    <div className='jp-Torchtwin-failures'>
      <FailureCard call={call} />
    </div>
  );
}
