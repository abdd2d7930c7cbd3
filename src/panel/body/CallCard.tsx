import { memo, useId } from 'react';
import type { Call } from '../../protocol';
import { callVerdict, MARK, TONE } from '../model/callVerdict';
import { shapeText, shorten } from '../model/names';
import { count } from '../model/numbers';
import { Formula } from './Code';
import { Detail } from './Detail';
import { Expression, Spelled } from './Expression';
import { Explanation } from './Failures';
import { useLeavesFocus } from './focus';
import { Matches } from './Matches';
import { Place } from './Place';
import { Chevron } from './Section';
import { Remarks, Verdicts } from './Verdicts';

interface Props {
  call: Call;
  open: boolean;
  toggle: (id: number) => void;
  /** Whether it stands for itself; else among others of its kind, in one line until it is opened. */
  alone: boolean;
  /** Where it stands in the list, or among its kind, and of how many. */
  place: number;
  of: number;
}

/** One call: what it was, what it equals, what the checks say; opened, how it came about. */
export const CallCard = memo(function CallCard({ call, open, toggle, alone, place, of }: Props) {
  const id = useId();
  const button = useLeavesFocus<HTMLButtonElement>();
  return (
    <article
      className={`jp-Torchtwin-call${open ? ' jp-mod-open' : ''}${alone ? '' : ' jp-mod-among'}`}
      aria-label={`Call ${call.id} of ${call.name}`}
      aria-posinset={place}
      aria-setsize={of}
    >
      <div className='jp-Torchtwin-row'>
        <h3 aria-level={alone ? 3 : 4} className='jp-Torchtwin-callName'>
          <button ref={button} type='button' aria-expanded={open} aria-controls={id} onClick={() => toggle(call.id)}>
            <Chevron />
            {alone ? <Formula text={call.name} short={shorten(call.name, 34)} /> : `call ${count(call.id)}`}
          </button>
        </h3>
        {alone ? <Place site={call.site} /> : <InShort call={call} />}
      </div>
      {(alone || open) && !call.error && <Findings call={call} open={open} />}
      <div id={id} hidden={!open}>
        {open && (call.error ? <Explanation call={call} /> : <Detail call={call} />)}
      </div>
    </article>
  );
});

function Findings({ call, open }: { call: Call; open: boolean }) {
  return (
    <>
      <Expression call={call} />
      <Spelled call={call} only='short' />
      <Verdicts call={call} />
      <Remarks call={call} open={open} />
      <Matches call={call} open={open} />
    </>
  );
}

/** What tells a call from others of its kind. */
function InShort({ call }: { call: Call }) {
  const verdict = callVerdict(call);
  const shape = call.operands.input?.shape;
  return (
    <>
      <span className={`jp-Torchtwin-${TONE[verdict]}`}>
        <span aria-hidden='true'>{MARK[verdict]}</span> <span className='jp-Torchtwin-word'>{verdict}</span>
      </span>
      {shape && <code className='jp-Torchtwin-shape'>{shapeText(shape)}</code>}
    </>
  );
}
