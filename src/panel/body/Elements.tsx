import { useState } from 'react';
import type { Call } from '../../protocol';
import { elementsNotKept } from '../model/notKept';
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

interface ChooserProps {
  call: Call;
  tensor: Compared;
  chosen: number | null;
  choose: (flat: number) => void;
}

/** All elements where they are here; else the kernel can be asked for one, but keeps no gradient. */
function Chooser({ call, tensor, chosen, choose }: ChooserProps) {
  if (tensor.layer) return <ElementGrid call={call} tensor={tensor} chosen={chosen} choose={choose} />;
  if (tensor.target === 'output') return <ElementChoice tensor={tensor} choose={choose} />;
  return <p className='jp-Torchtwin-quiet'>{elementsNotKept(tensor)}</p>;
}

function ElementsOf({ call, tensor }: { call: Call; tensor: Compared }) {
  const [chosen, choose] = useState<number | null>(null);
  const [said, say] = useState('');
  return (
    <>
      <Chooser call={call} tensor={tensor} chosen={chosen} choose={choose} />
      {chosen !== null && <HowItCame key={chosen} call={call} tensor={tensor} flat={chosen} say={say} />}
      <span role='status' className='jp-Torchtwin-unseen'>
        {said}
      </span>
    </>
  );
}
