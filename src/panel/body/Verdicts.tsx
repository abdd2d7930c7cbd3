import type { Call } from '../../protocol';
import { passesRemark } from '../model/passes';
import { type Chip, chips, remarks, SIGN, showsWord } from '../model/verdictText';
import { Sentence } from './Code';
import { GaugeBar } from './GaugeBar';
import { VerdictSentence } from './VerdictSentence';

/** The verdicts on a call in a row, each with its sign; a word is seen once for those that share it. */
export function Verdicts({ call }: { call: Call }) {
  const row = chips(call);
  return (
    <ul className='jp-Torchtwin-verdicts' aria-label='Verdicts'>
      <OutputChip chip={row.output} />
      <li>
        <span className='jp-Torchtwin-quiet'>gradients</span>
        <ul className='jp-Torchtwin-chips' aria-label='Gradients'>
          {row.gradients.map((chip, index) => (
            <GradientChip key={chip.label} chip={chip} says={showsWord(row, index)} />
          ))}
        </ul>
      </li>
      <Passes call={call} />
    </ul>
  );
}

function OutputChip({ chip: { label, kind, word, sentence } }: { chip: Chip }) {
  return (
    <li title={plain(sentence)}>
      <span className='jp-Torchtwin-quiet'>{label}</span>{' '}
      <span className={`jp-Torchtwin-${kind}`}>
        <span aria-hidden='true'>{SIGN[kind]}</span> {word}
      </span>
    </li>
  );
}

function GradientChip({ chip: { label, kind, word, sentence }, says }: { chip: Chip; says: boolean }) {
  return (
    <li className={`jp-Torchtwin-${kind}`} title={plain(sentence)}>
      <span aria-hidden='true'>{SIGN[kind]}</span> {label}
      {word && <span className={says ? undefined : 'jp-Torchtwin-unseen'}> {word}</span>}
    </li>
  );
}

/** That `.grad` is more than one pass's gradient, which is the usual surprise. */
function Passes({ call }: { call: Call }) {
  const remark = passesRemark(call);
  if (!remark) return null;
  return (
    <li title={plain(remark.note)}>
      <Sentence text={remark.text} />
    </li>
  );
}

function plain(sentence: string): string {
  return sentence.replaceAll('`', '');
}

/** What differs, shown even where the call is folded; differences beyond rounding stand out. */
export function Remarks({ call, open }: { call: Call; open: boolean }) {
  return (
    <>
      {remarks(call).map(({ label, role, verdict }) => (
        <div key={label} className={`jp-Torchtwin-finding jp-mod-${verdict.kind}`}>
          <span className='jp-Torchtwin-quiet'>{label}: </span>
          <VerdictSentence verdict={verdict} shape={open ? call.operands[role]?.shape : undefined} />
          <GaugeBar verdict={verdict} />
        </div>
      ))}
    </>
  );
}
