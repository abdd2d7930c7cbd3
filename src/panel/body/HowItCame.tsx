import { type ReactNode, useEffect, useRef, useState } from 'react';
import type { Call } from '../../protocol';
import { type Answer, mayPass } from '../model/answer';
import { derivationOf, derive } from '../model/elements';
import { FACTORS_NOT_KEPT } from '../model/notKept';
import { type Compared, unravel } from '../model/tensorOf';
import { Sentence } from './Code';
import { useModel } from './context';
import { Sum } from './Sum';

interface Props {
  call: Call;
  tensor: Compared;
  flat: number;
  /** Announces what is shown. What is shown holds buttons, so it is no live region itself. */
  say: (text: string) => void;
}

/** How one element came about, from the values at hand or else, of the output, from the kernel. */
export function HowItCame(props: Props) {
  const { call, tensor, flat } = props;
  const local = derive(call, tensor, flat);
  if (!local && tensor.target === 'output') return <Asked {...props} />;
  return (
    <How>{(focus) => (local ? <Sum derivation={local} focus={focus} {...props} /> : <NotKept say={props.say} />)}</How>
  );
}

interface HowProps {
  refused?: boolean;
  /** Drawn with the way to move the focus here, for a button that is about to go. */
  children: (focus: () => void) => ReactNode;
}

function How({ refused, children }: HowProps) {
  const frame = useRef<HTMLDivElement>(null);
  return (
    <div ref={frame} tabIndex={-1} className={`jp-Torchtwin-how${refused ? ' jp-mod-refused' : ''}`}>
      {children(() => frame.current?.focus())}
    </div>
  );
}

function NotKept({ say }: Pick<Props, 'say'>) {
  useEffect(() => say(FACTORS_NOT_KEPT), [say]);
  return <Sentence text={FACTORS_NOT_KEPT} />;
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
  return (
    <How refused={answer?.type === 'refused'}>
      {(focus) =>
        answer?.type === 'terms' ? (
          <Sum derivation={derivationOf(answer.terms, tensor, flat)} focus={focus} {...props} />
        ) : (
          <Waiting answer={answer} again={() => setAttempt(attempt + 1)} focus={focus} say={say} />
        )
      }
    </How>
  );
}

const ASKING = 'Asking the kernel…';

interface WaitingProps extends Pick<Props, 'say'> {
  answer: Answer | null;
  again: () => void;
  focus: () => void;
}

function Waiting({ answer, again, focus, say }: WaitingProps) {
  const refusal = answer?.type === 'refused' ? answer : null;
  useEffect(() => say(refusal?.message.replaceAll('`', '') ?? ASKING), [say, refusal]);
  if (!refusal) return ASKING;
  const ask = () => {
    focus();
    again();
  };
  return (
    <>
      <Sentence text={refusal.message} />{' '}
      {mayPass(refusal) && (
        <button type='button' className='jp-Torchtwin-button' onClick={ask}>
          Ask again
        </button>
      )}
    </>
  );
}
