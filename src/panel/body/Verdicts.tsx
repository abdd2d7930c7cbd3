import type { Call, Verdict } from '../../protocol';
import { briefSentenceOf, type Chip, chips, isLeader, remarks, SIGN, sentenceOf } from '../model/verdictText';
import { Sentence } from './Code';
import { GaugeBar } from './GaugeBar';

/** The verdicts on a call in a row, each with its sign and word; a word is seen once for those that share it. */
export function Verdicts({ call }: { call: Call }) {
  return (
    <ul className='jp-Torchtwin-verdicts' aria-label='Verdicts'>
      {chips(call).map((chip, index, all) => (
        <VerdictChip key={chip.label} chip={chip} leads={isLeader(all, index)} />
      ))}
    </ul>
  );
}

function VerdictChip({ chip: { label, kind, word, sentence }, leads }: { chip: Chip; leads: boolean }) {
  return (
    <li className={`jp-Torchtwin-${kind}`} title={sentence.replaceAll('`', '')}>
      <span aria-hidden='true'>{SIGN[kind]}</span> {label}
      {word && <span className={leads ? undefined : 'jp-Torchtwin-unseen'}> {word}</span>}
    </li>
  );
}

/** A verdict in a sentence, with its diagnosis and note. */
export function VerdictSentence({ verdict, brief }: { verdict: Verdict; brief?: boolean }) {
  return (
    <div className='jp-Torchtwin-verdict'>
      <span className={`jp-Torchtwin-${verdict.kind}`}>
        <span aria-hidden='true'>
          {SIGN[verdict.kind]}
          {'\u00a0'}
        </span>
        <Sentence text={brief ? briefSentenceOf(verdict) : sentenceOf(verdict)} />
      </span>
      {verdict.diagnosis && (
        <div>
          <Sentence text={verdict.diagnosis.message} />
        </div>
      )}
      {verdict.note && (
        <div className='jp-Torchtwin-quiet'>
          <Sentence text={verdict.note} />
        </div>
      )}
    </div>
  );
}

/** What differs, shown even where the call is folded; differences beyond rounding stand out. */
export function Remarks({ call }: { call: Call }) {
  return (
    <>
      {remarks(call).map(({ label, verdict }) => (
        <div key={label} className={`jp-Torchtwin-finding jp-mod-${verdict.kind}`}>
          <span className='jp-Torchtwin-quiet'>{label}: </span>
          <VerdictSentence verdict={verdict} />
          <GaugeBar verdict={verdict} />
        </div>
      ))}
    </>
  );
}
