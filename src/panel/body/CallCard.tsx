import { memo, useId } from 'react';
import type { Call } from '../../protocol';
import { shorten } from '../model/names';
import { Formula } from './Code';
import { Detail } from './Detail';
import { Expression, Spelled } from './Expression';
import { Matches } from './Matches';
import { Place } from './Place';
import { Chevron } from './Section';
import { Remarks, Verdicts } from './Verdicts';

interface Props {
  call: Call;
  open: boolean;
  toggle: (id: number) => void;
}

/** One call: what it was, what it equals, what the checks say; opened, how it came about. */
export const CallCard = memo(function CallCard({ call, open, toggle }: Props) {
  const id = useId();
  return (
    <article
      className={`jp-Torchtwin-call${open ? ' jp-mod-open' : ''}`}
      aria-label={`Call ${call.id} of ${call.name}`}
    >
      <div className='jp-Torchtwin-row'>
        <h3 className='jp-Torchtwin-callName'>
          <button type='button' aria-expanded={open} aria-controls={id} onClick={() => toggle(call.id)}>
            <Chevron />
            <Formula text={call.name} short={shorten(call.name, 34)} />
          </button>
        </h3>
        <Place site={call.site} />
      </div>
      <Expression call={call} />
      <Spelled call={call} only='short' />
      <Verdicts call={call} />
      <Remarks call={call} open={open} />
      <Matches call={call} open={open} />
      <div id={id} hidden={!open}>
        {open && <Detail call={call} />}
      </div>
    </article>
  );
});
