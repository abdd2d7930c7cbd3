import { useEffect, useState } from 'react';
import type { Call } from '../../protocol';
import { type Answer, mayPass } from '../model/answer';
import { type Derivation, derivationOf, derive, sentence, summary } from '../model/elements';
import { shortest } from '../model/numbers';
import { type Compared, unravel } from '../model/tensorOf';
import { Sentence } from './Code';
import { useModel } from './context';

interface Props {
  call: Call;
  tensor: Compared;
  flat: number;
  /** Announces what is shown. What is shown holds buttons, so it is no live region itself. */
  say: (text: string) => void;
}

/** How one element came about, from the values at hand or else from the kernel. */
export function HowItCame(props: Props) {
  const { call, tensor, flat } = props;
  const local = derive(call, tensor, flat);
  return local ? <Sum derivation={local} {...props} /> : <Asked {...props} />;
}

function Asked(props: Props) {
  const { call, tensor, flat, say } = props;
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
    return <Sum derivation={derivationOf(answer.terms, tensor, flat)} {...props} />;
  }
  return <Waiting answer={answer} again={() => setAttempt(attempt + 1)} say={say} />;
}

const ASKING = 'Asking the kernel…';

interface WaitingProps {
  answer: Answer | null;
  again: () => void;
  say: Props['say'];
}

function Waiting({ answer, again, say }: WaitingProps) {
  const refusal = answer?.type === 'refused' ? answer : null;
  useEffect(() => say(refusal?.message.replaceAll('`', '') ?? ASKING), [say, refusal]);
  if (!refusal) return <p className='jp-Torchtwin-how'>{ASKING}</p>;
  return (
    <p className='jp-Torchtwin-how jp-mod-refused'>
      <Sentence text={refusal.message} />{' '}
      {mayPass(refusal) && (
        <button type='button' className='jp-Torchtwin-button' onClick={again}>
          Ask again
        </button>
      )}
    </p>
  );
}

const SHOWN = 8;

function Sum({ derivation, tensor, flat, say }: Props & { derivation: Derivation }) {
  const [all, setAll] = useState(false);
  const { head, hidden, tail, exact } = summary(derivation, all ? Number.POSITIVE_INFINITY : SHOWN);
  const spoken = sentence(derivation, SHOWN);
  useEffect(() => say(spoken), [say, spoken]);
  return (
    <div className='jp-Torchtwin-how'>
      <code>
        {head}
        {hidden > 0 && (
          <button type='button' className='jp-Torchtwin-link' onClick={() => setAll(true)}>
            {`… ${hidden} more …`}
          </button>
        )}
        {tail}
      </code>
      <div className='jp-Torchtwin-quiet'>{derivation.caption}</div>
      {exact !== null && <div className='jp-Torchtwin-quiet'>{`in float64: ${exact}`}</div>}
      <Formula tensor={tensor} flat={flat} />
    </div>
  );
}

/** The formula's value, where it is another than the layer's. */
function Formula({ tensor: { layer, twin, dtype }, flat }: Pick<Props, 'tensor' | 'flat'>) {
  const [mine, formula] = [layer?.[flat], twin?.[flat]];
  if (mine === undefined || formula === undefined || mine === formula) return null;
  const text = `layer ${shortest(mine, dtype)}, formula ${shortest(formula, dtype)}`;
  return <div className='jp-Torchtwin-quiet'>{text}</div>;
}
