import type { Diagnosis, Verdict } from '../../protocol';
import { coverageText } from '../model/coverage';
import { sentences } from '../model/names';
import { briefSentenceOf, SIGN, sentenceOf } from '../model/verdictText';
import { Sentence } from './Code';

interface Props {
  verdict: Verdict;
  brief?: boolean;
  /** The shape of what was judged, where it is to be said how much of it was compared. */
  shape?: readonly number[];
}

/** A verdict in a sentence, with its diagnosis, what was compared, and its note. */
export function VerdictSentence({ verdict, brief, shape }: Props) {
  const coverage = shape ? coverageText(verdict, shape) : null;
  return (
    <div className='jp-Torchtwin-verdict'>
      <span className={`jp-Torchtwin-${verdict.kind}`}>
        <span aria-hidden='true'>
          {SIGN[verdict.kind]}
          {'\u00a0'}
        </span>
        <Sentence text={brief ? briefSentenceOf(verdict) : sentenceOf(verdict)} />
      </span>
      {verdict.diagnosis && <Diagnosed diagnosis={verdict.diagnosis} />}
      {coverage && <div className='jp-Torchtwin-quiet'>{coverage}</div>}
      {verdict.note && (
        <div className='jp-Torchtwin-quiet'>
          <Sentence text={verdict.note} />
        </div>
      )}
    </div>
  );
}

/** What is wrong, and below it what to write, each on a line of its own. */
export function Diagnosed({ diagnosis }: { diagnosis: Diagnosis }) {
  const [wrong, ...advice] = sentences(diagnosis.message);
  if (wrong === undefined) return null;
  return (
    <div className='jp-Torchtwin-diagnosis'>
      <div className='jp-Torchtwin-wrong'>
        <Sentence text={wrong} />
      </div>
      {advice.map((text) => (
        <div key={text}>
          <Sentence text={text} />
        </div>
      ))}
    </div>
  );
}
