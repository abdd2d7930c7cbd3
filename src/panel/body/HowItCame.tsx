import { useEffect, useState } from 'react';
import type { Call } from '../../protocol';
import type { Answer } from '../model/answer';
import { type Derivation, derivationOf, derive, result, summands } from '../model/elements';
import { shortest } from '../model/numbers';
import { type Compared, unravel } from '../model/tensorOf';
import { Sentence } from './Code';
import { useModel } from './context';

interface Props {
  call: Call;
  tensor: Compared;
  flat: number;
}

/** How one element came about, from the values at hand or else from the kernel. */
export function HowItCame({ call, tensor, flat }: Props) {
  const local = derive(call, tensor, flat);
  return local ? <Sum derivation={local} tensor={tensor} flat={flat} /> : <Asked {...{ call, tensor, flat }} />;
}

function Asked({ call, tensor, flat }: Props) {
  const model = useModel();
  const [answer, setAnswer] = useState<Answer | null>(null);
  const [attempt, setAttempt] = useState(0);
  const { target, shape } = tensor;
  // biome-ignore lint/correctness/useExhaustiveDependencies: `attempt` asks once more; the shape belongs to the call
  useEffect(() => {
    let wanted = true;
    setAnswer(null);
    const request = { call: call.id, of: target, index: unravel(flat, shape) };
    model.element(request).then((given) => wanted && setAnswer(given));
    return () => {
      wanted = false;
    };
  }, [model, call.id, target, flat, attempt]);
  if (answer?.type === 'terms') {
    return <Sum derivation={derivationOf(answer.terms, tensor, flat)} tensor={tensor} flat={flat} />;
  }
  return <Waiting answer={answer} again={() => setAttempt(attempt + 1)} />;
}

function Waiting({ answer, again }: { answer: Answer | null; again: () => void }) {
  if (answer?.type !== 'refused') {
    return (
      <p role='status' className='jp-Torchtwin-how'>
        Asking the kernel…
      </p>
    );
  }
  return (
    <p role='status' className='jp-Torchtwin-how jp-mod-refused'>
      <Sentence text={answer.message} />{' '}
      {answer.code !== 'gone' && (
        <button type='button' className='jp-Torchtwin-button' onClick={again}>
          Ask again
        </button>
      )}
    </p>
  );
}

const SHOWN = 8;

function Sum({ derivation, tensor, flat }: { derivation: Derivation; tensor: Compared; flat: number }) {
  const [all, setAll] = useState(false);
  const parts = summands(derivation);
  const { sign, value, exact } = result(derivation);
  const hidden = parts.length - SHOWN;
  const long = hidden > 1 && !all;
  return (
    <div className='jp-Torchtwin-how' role='status'>
      <code>
        {`${derivation.name} = `}
        {long ? (
          <>
            {`${parts.slice(0, SHOWN / 2).join(' + ')} + `}
            <button type='button' className='jp-Torchtwin-link' onClick={() => setAll(true)}>
              {`… ${hidden} more …`}
            </button>
            {` + ${parts.slice(-SHOWN / 2).join(' + ')}`}
          </>
        ) : (
          parts.join(' + ') || '0'
        )}
        {parts.length === 1 && parts[0] === value ? '' : ` ${sign} ${value}`}
      </code>
      <div className='jp-Torchtwin-quiet'>{derivation.caption}</div>
      {exact !== null && <div className='jp-Torchtwin-quiet'>{`in float64: ${exact}`}</div>}
      <Formula tensor={tensor} flat={flat} />
    </div>
  );
}

/** The formula's value, where it is another than the layer's. */
function Formula({ tensor: { layer, twin, dtype }, flat }: { tensor: Compared; flat: number }) {
  const [mine, formula] = [layer?.[flat], twin?.[flat]];
  if (mine === undefined || formula === undefined || mine === formula) return null;
  const text = `layer ${shortest(mine, dtype)}, formula ${shortest(formula, dtype)}`;
  return <div className='jp-Torchtwin-quiet'>{text}</div>;
}
