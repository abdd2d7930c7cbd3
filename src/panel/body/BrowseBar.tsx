import { type KeyboardEvent, useMemo } from 'react';
import type { Browsing, Look } from '../model/browsing';
import { CALL_VERDICTS, MARK, TONE, type VerdictTally } from '../model/callVerdict';
import { isEmpty } from '../model/filter';
import { count } from '../model/numbers';
import { callsText, verdictWord } from '../model/tallyText';
import { Button } from './Button';

interface Props {
  browsing: Browsing;
  /** How many calls are found. */
  found: number;
  /** Of the calls that have the text that is looked for. */
  tally: VerdictTally;
  /** Goes to the next call that failed or differs. */
  goOn: () => void;
}

/** As what the calls are shown, and which of them. */
export function BrowseBar({ browsing, found, tally, goOn }: Props) {
  return (
    <div className='jp-Torchtwin-browse'>
      <LookSwitch browsing={browsing} />
      <SearchField browsing={browsing} />
      <Verdicts {...{ browsing, tally, goOn }} />
      <Found {...{ browsing, found }} />
    </div>
  );
}

const LOOKS: [Look, string, string][] = [
  ['list', 'List', 'The calls one after the other, newest first'],
  ['model', 'Model', 'The calls in the tree of the model’s modules'],
];

function LookSwitch({ browsing }: Pick<Props, 'browsing'>) {
  return (
    <fieldset className='jp-Torchtwin-segments' aria-label='Show calls as'>
      {LOOKS.map(([look, word, title]) => (
        <button
          key={look}
          type='button'
          aria-pressed={browsing.look === look}
          title={title}
          onClick={() => browsing.show(look)}
        >
          {word}
        </button>
      ))}
    </fieldset>
  );
}

function SearchField({ browsing }: Pick<Props, 'browsing'>) {
  const clear = (event: KeyboardEvent) => {
    if (event.key !== 'Escape' || browsing.filter.text === '') return;
    event.preventDefault();
    event.stopPropagation();
    browsing.search('');
  };
  return (
    <input
      type='search'
      className='jp-Torchtwin-search'
      aria-label='Search calls by name, expression or place'
      placeholder='Search calls'
      spellCheck={false}
      value={browsing.filter.text}
      onChange={(event) => browsing.search(event.target.value)}
      onKeyDown={clear}
    />
  );
}

/** Read aloud when something else is looked for, and not for each call that comes. That nothing was found is told below. */
function Found({ browsing: { filter }, found }: Pick<Props, 'browsing' | 'found'>) {
  // biome-ignore lint/correctness/useExhaustiveDependencies: as said
  const text = useMemo(() => (isEmpty(filter) || found === 0 ? '' : `${callsText(found)} found`), [filter]);
  return (
    <span role='status' className='jp-Torchtwin-unseen'>
      {text}
    </span>
  );
}

/** A choice of verdicts, where there are several to choose from; and the way to what is wrong. */
function Verdicts({ browsing, tally, goOn }: Omit<Props, 'found'>) {
  const { verdicts } = browsing.filter;
  const offered = CALL_VERDICTS.filter((verdict) => tally[verdict] > 0 || verdicts.has(verdict));
  const isWrong = tally.failed + tally.differs > 0;
  if (!isWrong && offered.length < 2 && verdicts.size === 0) return null;
  return (
    <fieldset className='jp-Torchtwin-chipRow' aria-label='Verdicts'>
      {offered.map((verdict) => (
        <button
          key={verdict}
          type='button'
          className={`jp-Torchtwin-${TONE[verdict]}`}
          aria-pressed={verdicts.has(verdict)}
          title='Show only these calls; several at once'
          onClick={() => browsing.toggle(verdict)}
        >
          <span aria-hidden='true'>{MARK[verdict]}</span> {count(tally[verdict])} {verdictWord(verdict, tally[verdict])}
        </button>
      ))}
      {isWrong && (
        <Button onClick={goOn} title='Open the next call that failed or differs'>
          Next difference
        </Button>
      )}
    </fieldset>
  );
}
