import type { Call } from '../../protocol';
import { type Chip, chips, isLeader, remarks, SIGN } from '../model/verdictText';
import { GaugeBar } from './GaugeBar';
import { VerdictSentence } from './VerdictSentence';

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
