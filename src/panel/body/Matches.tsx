import type { Call, Diagnosis, Match } from '../../protocol';
import { firstMatches, matchesOf, matchSentence } from '../model/matches';
import { count } from '../model/numbers';
import { SIGN, sentenceOf } from '../model/verdictText';
import { Sentence } from './Code';
import { Diagnosed } from './VerdictSentence';

/** The user's variables that are this call's output or gradients, or nearly; in a closed card the first of them. */
export function Matches({ call, open }: { call: Call; open: boolean }) {
  const { shown, more } = open ? { shown: matchesOf(call), more: 0 } : firstMatches(call);
  if (shown.length === 0) return null;
  return (
    <>
      <ul className='jp-Torchtwin-matches' aria-label='Your variables'>
        {shown.map((match) => (
          <Line key={`${match.name} ${match.of}`} match={match} open={open} />
        ))}
      </ul>
      {more > 0 && <div className='jp-Torchtwin-quiet'>and {count(more)} more</div>}
    </>
  );
}

function Line({ match, open }: { match: Match; open: boolean }) {
  const { verdict } = match;
  return (
    <li>
      <span className={`jp-Torchtwin-${verdict.kind}`}>
        <span aria-hidden='true'>
          {SIGN[verdict.kind]}
          {'\u00a0'}
        </span>
        <Sentence text={matchSentence(match)} />
        {verdict.diagnosis && ': '}
      </span>
      {verdict.diagnosis && <Why diagnosis={verdict.diagnosis} open={open} />}
      {open && (
        <div className='jp-Torchtwin-quiet'>
          <Sentence text={sentenceOf(verdict)} />
        </div>
      )}
    </li>
  );
}

function Why({ diagnosis, open }: { diagnosis: Diagnosis; open: boolean }) {
  return open ? <Diagnosed diagnosis={diagnosis} /> : <Sentence text={diagnosis.message} />;
}
