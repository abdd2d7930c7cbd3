import { useRef, useState } from 'react';
import type { Call } from '../../protocol';
import type { CallLog } from '../model/callLog';
import type { Written } from '../model/expression';
import { Button } from './Button';
import { Sentence } from './Code';
import { useReading } from './context';
import { Expression, Spelled } from './Expression';
import { useFocusAfter } from './focus';
import { Place } from './Place';

const AT_FIRST = 1;
const STEP = 10;

/** The calls that raised, explained, newest first; the earlier ones on request. They stay until dismissed or cleared. */
export function Failures({ calls }: { calls: CallLog }) {
  const reading = useReading();
  const [shown, setShown] = useState(AT_FIRST);
  const section = useRef<HTMLElement>(null);
  const focusAfter = useFocusAfter();
  if (calls.tally.failed === 0) return null;
  const all = calls.newest(calls.tally.failed, (verdict) => verdict === 'failed');
  const failed = all.filter(({ id }) => id > reading.dismissed);
  const more = failed.length - shown;
  const showEarlier = () => {
    setShown(shown + STEP);
    if (more <= STEP) focusAfter(() => section.current?.querySelectorAll('article')[shown]);
  };
  return (
    <section ref={section} aria-label='Failed calls' className='jp-Torchtwin-failures'>
      {failed.slice(0, shown).map((call) => (
        <FailureCard key={call.id} call={call} />
      ))}
      <div className='jp-Torchtwin-actions jp-mod-end'>
        {more > 0 && <Button onClick={showEarlier}>{earlier(more)}</Button>}
        <PutAway failed={failed} dismiss={(upTo) => reading.dismiss(upTo)} />
      </div>
    </section>
  );
}

function earlier(more: number): string {
  return more === 1 ? 'Show 1 earlier failed call' : `Show earlier failed calls (${more})`;
}

/** Puts the failed calls away and gets them back: one button, which keeps the focus. */
function PutAway({ failed, dismiss }: { failed: Call[]; dismiss: (upTo: number) => void }) {
  const word = failed.length === 1 ? 'Dismiss' : 'Dismiss all';
  return (
    <Button onClick={() => dismiss(failed[0]?.id ?? 0)}>{failed[0] ? word : 'Show the failed calls again'}</Button>
  );
}

/** A call that raised, and why. */
export function FailureCard({ call }: { call: Call }) {
  return (
    <article tabIndex={-1} className='jp-Torchtwin-failure' aria-label={`Failed call of ${call.name}`}>
      <div className='jp-Torchtwin-row'>
        <span className='jp-Torchtwin-error'>
          <span aria-hidden='true'>✕ </span>call of <b>{call.name}</b> failed
        </span>
        <Place site={call.site} />
      </div>
      <Explanation call={call} />
    </article>
  );
}

/** Why a call raised, and what would have fitted. */
export function Explanation({ call }: { call: Written }) {
  if (!call.error) return null;
  const { explanation, suggestions, type, message } = call.error;
  return (
    <>
      <Expression call={call} />
      <Spelled call={call} />
      <p>
        <Sentence text={explanation} />
      </p>
      <Suggestions suggestions={suggestions} />
      <p className='jp-Torchtwin-raised'>{`${type}: ${message}`}</p>
    </>
  );
}

function Suggestions({ suggestions }: { suggestions: string[] }) {
  if (suggestions.length === 0) return null;
  return (
    <>
      <p className='jp-Torchtwin-quiet'>What would fit:</p>
      <ul className='jp-Torchtwin-suggestions'>
        {suggestions.map((suggestion) => (
          <li key={suggestion}>
            <Sentence text={suggestion} />
          </li>
        ))}
      </ul>
    </>
  );
}
