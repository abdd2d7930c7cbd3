import { type ReactNode, useEffect, useRef } from 'react';
import type { Evaluated } from '../../protocol';
import { shapeText } from '../model/names';
import { compact, count, shortest } from '../model/numbers';
import type { Evaluation, Outcome } from '../model/pause';
import { changedSentences, cutAt, errorText, GIVEN_UP, partText } from '../model/pauseText';
import { Formula, Sentence } from './Code';
import { elementFacts, Facts } from './Facts';

/** What was evaluated, and what came of it. */
export function EvaluationResult({ evaluation: { expression, outcome } }: { evaluation: Evaluation }) {
  const error = outcome.type === 'evaluated' ? outcome.error : null;
  const cut = error && cutAt(expression, error);
  const frame = useRef<HTMLDivElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: what has come is brought into sight, once
  useEffect(() => {
    frame.current?.scrollIntoView({ block: 'nearest' });
  }, [outcome]);
  return (
    <div ref={frame} className={`jp-Torchtwin-result${isBad(outcome) ? ' jp-mod-bad' : ''}`}>
      <div className='jp-Torchtwin-asked'>{cut ? <Cut parts={cut} /> : <Formula text={expression} />}</div>
      <Value outcome={outcome} />
    </div>
  );
}

function isBad(outcome: Outcome): boolean {
  return outcome.type === 'refused' || (outcome.type === 'evaluated' && outcome.error !== null);
}

/** Code with the place of a syntax error in it; at its very end, where something is missing. */
function Cut({ parts: [before, at, after] }: { parts: [string, string, string] }) {
  return (
    <code>
      {before}
      <b className='jp-Torchtwin-clash'>{at || '\u00a0'}</b>
      {after}
    </code>
  );
}

function Value({ outcome }: { outcome: Outcome }): ReactNode {
  switch (outcome.type) {
    case 'running':
      return <p className='jp-Torchtwin-quiet'>Evaluating…</p>;
    case 'given-up':
    case 'ended':
      return <p className='jp-Torchtwin-quiet'>{GIVEN_UP[outcome.type]}</p>;
    case 'refused':
      return (
        <p className='jp-Torchtwin-error'>
          <Sentence text={outcome.message} />
        </p>
      );
    case 'evaluated':
      return <Answer answer={outcome} />;
  }
}

/** After so many seconds it is told how long it took. */
const LONG = 1;

function Answer({ answer }: { answer: Evaluated }) {
  const { error, tensor, text, seconds } = answer;
  return (
    <>
      {error && <p className='jp-Torchtwin-error'>{errorText(error)}</p>}
      {!error && (tensor ? <Tensor answer={answer} /> : <pre>{text}</pre>)}
      {changedSentences(answer).map((sentence) => (
        <p key={sentence} className='jp-Torchtwin-warn'>
          <Sentence text={sentence} />
        </p>
      ))}
      {seconds > LONG && <p className='jp-Torchtwin-quiet'>{`It took ${seconds.toFixed(1)} s.`}</p>}
    </>
  );
}

function Tensor({ answer }: { answer: Evaluated }) {
  const { tensor, statistics, unread, class_name: kind } = answer;
  if (!tensor) return null;
  const { dtype, device, requires_grad: requires } = tensor;
  const facts = [
    dtype,
    device !== 'cpu' && device,
    requires && 'requires grad',
    kind !== 'torch.Tensor' && kind,
    ...elementFacts(statistics, unread),
  ];
  return (
    <>
      <div>
        <code>{shapeText(tensor.shape)}</code>{' '}
        <span className='jp-Torchtwin-quiet'>
          <Facts facts={facts} />
        </span>
      </div>
      <Table answer={answer} />
    </>
  );
}

function Table({ answer }: { answer: Evaluated }) {
  const { table, tensor } = answer;
  if (!table || !tensor) return null;
  const part = partText(answer);
  return (
    <div className='jp-Torchtwin-gridFrame'>
      <table className='jp-Torchtwin-plainGrid' aria-label={`${count(table.length)} rows of elements`}>
        {part && <caption>{part}</caption>}
        <tbody>
          {table.map((row, at) => (
            <tr key={String(at)}>
              {row.map((value, column) => (
                <td key={String(column)} title={shortest(value, tensor.dtype)}>
                  {compact(value, tensor.dtype)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
