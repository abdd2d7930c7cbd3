import type { Call } from '../../protocol';
import { SayingButton } from './Button';
import { useCopy, useModel } from './context';
import { Elements } from './Elements';
import { Spelled } from './Expression';
import { GradientTable } from './GradientTable';
import { MatmulDrawing } from './MatmulDrawing';
import { VerdictSentence } from './VerdictSentence';

/** How a call came about: the matmul drawn, its elements, its gradients. */
export function Detail({ call }: { call: Call }) {
  return (
    <div className='jp-Torchtwin-detail'>
      <Spelled call={call} only='long' />
      <MatmulDrawing call={call} />
      <OutputVerdict call={call} />
      <Elements call={call} />
      <GradientTable call={call} />
      <Actions call={call} />
    </div>
  );
}

/** What differs stands above already. */
function OutputVerdict({ call: { forward, operands } }: { call: Call }) {
  if (forward.kind !== 'identical' && forward.kind !== 'unchecked') return null;
  return (
    <div className='jp-Torchtwin-outputVerdict'>
      <span className='jp-Torchtwin-quiet'>output </span>
      <VerdictSentence verdict={forward} shape={operands.output?.shape} />
    </div>
  );
}

function Actions({ call }: { call: Call }) {
  const model = useModel();
  const copy = useCopy();
  const reveal = async () => ((await model.reveal(call.site)) ? '' : 'Not found any more');
  return (
    <div className='jp-Torchtwin-actions'>
      <SayingButton work={() => copy(call.expression)}>Copy expression</SayingButton>
      <SayingButton work={reveal}>{call.site.cell_id == null ? 'Go to line' : 'Go to cell'}</SayingButton>
    </div>
  );
}
