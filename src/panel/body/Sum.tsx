import { useEffect, useState } from 'react';
import type { Call } from '../../protocol';
import { type Derivation, sentence, summary } from '../model/elements';
import { shortest } from '../model/numbers';
import { accumulationSentence } from '../model/passes';
import type { Compared } from '../model/tensorOf';
import { Sentence } from './Code';

const SHOWN = 8;

interface Props {
  call: Call;
  derivation: Derivation;
  tensor: Compared;
  flat: number;
  /** Moves the focus to what is around, before the button that has it goes. */
  focus: () => void;
  say: (text: string) => void;
}

/** An element as the sum that it is, a long one shortened in its middle until asked. */
export function Sum({ call, derivation, tensor, flat, focus, say }: Props) {
  const [all, setAll] = useState(false);
  const { head, hidden, tail, exact } = summary(derivation, all ? Number.POSITIVE_INFINITY : SHOWN);
  const spoken = sentence(derivation, SHOWN);
  useEffect(() => say(spoken), [say, spoken]);
  const showAll = () => {
    focus();
    setAll(true);
  };
  return (
    <>
      <code>
        {head}
        {hidden > 0 && (
          <button type='button' className='jp-Torchtwin-link' onClick={showAll}>
            {`… ${hidden} more …`}
          </button>
        )}
        {tail}
      </code>
      <div className='jp-Torchtwin-quiet'>{derivation.caption}</div>
      {exact !== null && <div className='jp-Torchtwin-quiet'>{`in float64: ${exact}`}</div>}
      <Formula tensor={tensor} flat={flat} />
      <Accumulation call={call} tensor={tensor} />
    </>
  );
}

/** The formula's value, where it is another than the layer's. */
function Formula({ tensor: { layer, twin, dtype }, flat }: Pick<Props, 'tensor' | 'flat'>) {
  const [mine, formula] = [layer?.[flat], twin?.[flat]];
  if (mine === undefined || formula === undefined || mine === formula) return null;
  const text = `layer ${shortest(mine, dtype)}, formula ${shortest(formula, dtype)}`;
  return <div className='jp-Torchtwin-quiet'>{text}</div>;
}

/** Why a gradient's `.grad` may show another number than this. */
function Accumulation({ call, tensor: { target } }: Pick<Props, 'call' | 'tensor'>) {
  const verdict = target === 'output' ? null : call.gradients[target];
  const name = target === 'output' ? null : call.gradient_names[target];
  const text = verdict && name ? accumulationSentence(name, verdict) : null;
  return text === null ? null : (
    <div className='jp-Torchtwin-quiet'>
      <Sentence text={text} />
    </div>
  );
}
