import { useEffect, useState } from 'react';
import { type Derivation, sentence, summary } from '../model/elements';
import { shortest } from '../model/numbers';
import type { Compared } from '../model/tensorOf';

const SHOWN = 8;

interface Props {
  derivation: Derivation;
  tensor: Compared;
  flat: number;
  /** Moves the focus to what is around, before the button that has it goes. */
  focus: () => void;
  say: (text: string) => void;
}

/** An element as the sum that it is, a long one shortened in its middle until asked. */
export function Sum({ derivation, tensor, flat, focus, say }: Props) {
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
