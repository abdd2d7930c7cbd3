import { useEffect, useState } from 'react';
import type { State } from '../../protocol';
import { announce, SILENCE } from '../model/announcement';
import { costText } from '../model/cost';
import type { Counts } from '../model/counts';
import { count } from '../model/numbers';
import { SayingButton } from './Button';
import { useCopy } from './context';
import { UnseenNote } from './UnseenNote';

interface Props {
  counts: Counts;
  state: State | null;
  /** Whether a cell runs, so that the counts are about to change. */
  busy: boolean;
}

/** How many calls there were, what came of them, and what it takes to watch them. */
export function CountsBar({ counts, state, busy }: Props) {
  const { calls, failed, differs, agrees, unchecked, dropped } = counts;
  return (
    <div className='jp-Torchtwin-counts'>
      <div className='jp-Torchtwin-countsRow'>
        {/* biome-ignore lint/a11y/useSemanticElements: a fieldset is for inputs */}
        <div role='group' aria-label='Counts' className='jp-Torchtwin-countsRow'>
          <Count number={calls} word={calls === 1 ? 'call' : 'calls'} />
          {failed > 0 && <Count number={failed} word='failed' tone='error' />}
          {differs > 0 && <Count number={differs} word={differs === 1 ? 'differs' : 'differ'} tone='error' />}
          {agrees > 0 && <Count number={agrees} word={agrees === 1 ? 'agrees' : 'agree'} tone='success' />}
          {unchecked > 0 && <Count number={unchecked} word='unchecked' tone='quiet' />}
          {dropped > 0 && <Count number={dropped} word='dropped' tone='quiet' title={DROPPED} />}
        </div>
        {state && <CostNote state={state} />}
      </div>
      <UnseenNote unseen={state?.unseen ?? []} />
      <InternalErrorsNote counts={counts} />
      <Spoken counts={counts} busy={busy} />
    </div>
  );
}

/** The same to be read aloud, when it is worth it. */
function Spoken({ counts, busy }: Pick<Props, 'counts' | 'busy'>) {
  const [now, say] = useState(SILENCE);
  useEffect(() => say((before) => announce(before, counts, busy)));
  return (
    <span role='status' aria-label='Counts read aloud' className='jp-Torchtwin-unseen'>
      {now.text}
    </span>
  );
}

/** What the watch takes of the running time. */
function CostNote({ state }: { state: State }) {
  const cost = costText(state);
  if (!cost) return null;
  return (
    <span className={`jp-Torchtwin-cost jp-Torchtwin-${cost.tone}`} title={cost.title}>
      {cost.text}
    </span>
  );
}

const DROPPED = 'The oldest calls made room for newer ones';

interface CountProps {
  number: number;
  word: string;
  tone?: 'error' | 'success' | 'quiet';
  title?: string;
}

function Count({ number, word, tone, title }: CountProps) {
  return (
    <span className={tone && `jp-Torchtwin-${tone}`} title={title}>
      <b>{count(number)}</b> {word}
    </span>
  );
}

function InternalErrorsNote({ counts: { internalErrors } }: { counts: Counts }) {
  const copy = useCopy();
  if (!internalErrors) return null;
  const { count: number, first } = internalErrors;
  return (
    <details className='jp-Torchtwin-note jp-mod-warn'>
      <summary>{number === 1 ? '1 internal error' : `${count(number)} internal errors`}</summary>
      <p>Torchtwin failed; your code went on unchanged. Please report the traceback.</p>
      <pre>{first}</pre>
      <SayingButton work={() => copy(first)}>Copy traceback</SayingButton>
    </details>
  );
}
