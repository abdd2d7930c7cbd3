import { memo } from 'react';
import type { CallVerdict } from '../model/callVerdict';
import type { Group } from '../model/group';
import { type Finding, summary, wayTo } from '../model/groupText';
import { shorten } from '../model/names';
import { count } from '../model/numbers';
import { Formula } from './Code';
import { Expression } from './Expression';
import { useLeavesFocus } from './focus';
import { Place } from './Place';
import { Chevron } from './Section';

interface Props {
  group: Group;
  /** Of the group when it was drawn: another one is another drawing. */
  version: number;
  /** What came of the newest call that was checked. */
  latest: CallVerdict | null;
  /** What came of the oldest one that raised or differs. */
  failing: CallVerdict | null;
  unfolded: boolean;
  unfold: (group: Group, unfolded: boolean) => void;
  /** Unfolds the group, and goes to one of its calls. */
  show: (group: Group, call: number) => void;
  place: number;
  of: number;
}

/** Calls of one layer in a loop: how many, and what came of them. Unfolded, each stands below it. */
export const GroupCard = memo(function GroupCard({ group, latest, failing, unfolded, unfold, show, place, of }: Props) {
  const { name, site, newest, firstFailing } = group;
  const button = useLeavesFocus<HTMLButtonElement>();
  return (
    <article
      className={`jp-Torchtwin-call jp-mod-group${unfolded ? ' jp-mod-unfolded' : ''}`}
      aria-label={`${count(group.count)} calls of ${name}`}
      aria-posinset={place}
      aria-setsize={of}
    >
      <div className='jp-Torchtwin-row'>
        <h3 className='jp-Torchtwin-callName'>
          <button ref={button} type='button' aria-expanded={unfolded} onClick={() => unfold(group, !unfolded)}>
            <Chevron />
            <Formula text={name} short={shorten(name, 30)} />
            <Times group={group} />
          </button>
        </h3>
        <Place site={site} />
      </div>
      <Expression call={newest} />
      <Summary group={group} latest={latest} />
      {firstFailing !== null && failing && (
        <button type='button' className='jp-Torchtwin-link' onClick={() => show(group, firstFailing)}>
          {wayTo(firstFailing, failing, group)}
        </button>
      )}
    </article>
  );
});

/** The head of an unfolded group again, on top while its calls pass below. For the eye and the mouse: the keyboard has the head. */
export const StuckHead = memo(function StuckHead({
  group,
  fold,
}: Pick<Props, 'group' | 'version'> & { fold: () => void }) {
  return (
    <div className='jp-Torchtwin-stuck' aria-hidden='true'>
      <button type='button' tabIndex={-1} aria-expanded='true' onClick={fold}>
        <Chevron />
        <Formula text={group.name} short={shorten(group.name, 30)} />
        <Times group={group} />
      </button>
    </div>
  );
});

function Times({ group }: { group: Group }) {
  return <span className='jp-Torchtwin-count'>× {count(group.count)}</span>;
}

function Summary({ group, latest }: Pick<Props, 'group' | 'latest'>) {
  const { checked, findings, latest: newest } = summary(group, latest);
  return (
    <ul className='jp-Torchtwin-verdicts' aria-label='Verdicts'>
      {checked && <li className='jp-Torchtwin-quiet'>{checked}</li>}
      {findings.map((finding) => (
        <li key={finding.text} className='jp-mod-long'>
          <Found finding={finding} />
        </li>
      ))}
      {newest && (
        <li>
          <span className='jp-Torchtwin-quiet'>newest</span> <Found finding={newest} />
        </li>
      )}
    </ul>
  );
}

function Found({ finding: { sign, text, tone } }: { finding: Finding }) {
  return (
    <span className={`jp-Torchtwin-${tone}`}>
      <span aria-hidden='true'>{sign}</span> {text}
    </span>
  );
}
