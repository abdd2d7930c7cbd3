import { useState } from 'react';
import type { Call } from '../../protocol';
import { CAPACITY, type CallLog } from '../model/callLog';
import { Button } from './Button';
import { Sentence } from './Code';
import { Expression, Spelled } from './Expression';
import { Place } from './Place';

const AT_FIRST = 1;
const STEP = 10;

/** The calls that raised, explained, newest first; the earlier ones on request. They stay until dismissed or cleared. */
export function Failures({ calls }: { calls: CallLog }) {
  const [shown, setShown] = useState(AT_FIRST);
  const [dismissed, dismiss] = useState(0);
  if (calls.tally.failed === 0) return null;
  const failed = calls.newest(CAPACITY, (outcome, id) => outcome === 'failed' && id > dismissed);
  const more = failed.length - shown;
  return (
    <section aria-label='Failed calls' className='jp-Torchtwin-failures'>
      {failed.slice(0, shown).map((call) => (
        <FailureCard key={call.id} call={call} />
      ))}
      <div className='jp-Torchtwin-actions jp-mod-end'>
        {more > 0 && <Button onClick={() => setShown(shown + STEP)}>{earlier(more)}</Button>}
        {failed[0] && <DismissButton count={failed.length} onClick={() => dismiss(failed[0]?.id ?? 0)} />}
        {dismissed > 0 && failed.length === 0 && (
          <Button onClick={() => dismiss(0)}>Show the failed calls again</Button>
        )}
      </div>
    </section>
  );
}

function earlier(more: number): string {
  return more === 1 ? 'Show 1 earlier failed call' : `Show earlier failed calls (${more})`;
}

function DismissButton({ count, onClick }: { count: number; onClick: () => void }) {
  return <Button onClick={onClick}>{count === 1 ? 'Dismiss' : 'Dismiss all'}</Button>;
}

function FailureCard({ call }: { call: Call }) {
  if (!call.error) return null;
  const { explanation, suggestions, type, message } = call.error;
  return (
    <article className='jp-Torchtwin-failure' aria-label={`Failed call of ${call.name}`}>
      <div className='jp-Torchtwin-row'>
        <span className='jp-Torchtwin-error'>
          <span aria-hidden='true'>✕ </span>call of <b>{call.name}</b> failed
        </span>
        <Place site={call.site} />
      </div>
      <Expression call={call} />
      <Spelled call={call} />
      <p>
        <Sentence text={explanation} />
      </p>
      <Suggestions suggestions={suggestions} />
      <p className='jp-Torchtwin-raised'>{`${type}: ${message}`}</p>
    </article>
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
