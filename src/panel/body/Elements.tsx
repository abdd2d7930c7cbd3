import { useState } from 'react';
import type { Call } from '../../protocol';
import { type Compared, comparedTensors } from '../model/tensorOf';
import { ElementChoice } from './ElementChoice';
import { ElementGrid } from './ElementGrid';
import { HowItCame } from './HowItCame';

/** The elements of the output or of a gradient, to choose one and see how it came about. */
export function Elements({ call }: { call: Call }) {
  const tensors = comparedTensors(call);
  const [target, setTarget] = useState('output');
  const tensor = tensors.find((each) => each.target === target) ?? tensors[0];
  if (!tensor) return null;
  return (
    <div className='jp-Torchtwin-elements'>
      <fieldset className='jp-Torchtwin-tabs'>
        <legend>elements of</legend>
        {tensors.map((each) => (
          <button key={each.target} type='button' aria-pressed={each === tensor} onClick={() => setTarget(each.target)}>
            {TABS[each.target]}
          </button>
        ))}
      </fieldset>
      <ElementsOf key={tensor.target} call={call} tensor={tensor} />
    </div>
  );
}

const TABS = { output: 'output', weight: 'weight grad', bias: 'bias grad', input: 'input grad' };

function ElementsOf({ call, tensor }: { call: Call; tensor: Compared }) {
  const [chosen, choose] = useState<number | null>(null);
  const [said, say] = useState('');
  return (
    <>
      {tensor.layer ? (
        <ElementGrid call={call} tensor={tensor} chosen={chosen} choose={choose} />
      ) : (
        <ElementChoice tensor={tensor} choose={choose} />
      )}
      {chosen !== null && <HowItCame key={chosen} call={call} tensor={tensor} flat={chosen} say={say} />}
      <span role='status' className='jp-Torchtwin-unseen'>
        {said}
      </span>
    </>
  );
}
