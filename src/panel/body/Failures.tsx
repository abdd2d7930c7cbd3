import { useState } from 'react';
import type { Call } from '../../protocol';
import type { CallLog } from '../model/callLog';
import { Button } from './Button';
import { Sentence } from './Code';
import { Expression } from './Expression';
import { Place } from './Place';

const AT_FIRST = 1;

/** The calls that raised, explained, newest first; the earlier ones on request. */
export function Failures({ calls }: { calls: CallLog }) {
  const [shown, setShown] = useState(AT_FIRST);
  const failed = calls.newest(shown, (outcome) => outcome === 'failed');
  const more = calls.tally.failed - failed.length;
  if (failed.length === 0) return null;
  return (
    <section aria-label='Failed calls' className='jp-Torchtwin-failures'>
      {failed.map((call) => (
        <FailureCard key={call.id} call={call} />
      ))}
      {more > 0 && <Button onClick={() => setShown(shown + 10)}>{earlier(more)}</Button>}
    </section>
  );
}

function earlier(more: number): string {
  return more === 1 ? 'Show 1 earlier failed call' : `Show earlier failed calls (${more})`;
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
