import type { Call } from '../../protocol';
import { gradOutput } from '../model/gradOutput';
import { compact, shortest } from '../model/numbers';
import { Name } from './Code';

/** What `g` in the formulas is, and its elements where they have travelled. */
export function GradOutput({ call, id }: { call: Call; id: string }) {
  return (
    <div className='jp-Torchtwin-gradOutput'>
      <span id={id}>
        <code>g</code> is the gradient of <Name name={call.operands.output?.name ?? 'the output'} />
      </span>
      <Elements call={call} />
    </div>
  );
}

function Elements({ call }: { call: Call }) {
  const found = gradOutput(call);
  if (!found) return null;
  const { rows, dtype } = found;
  return (
    <div className='jp-Torchtwin-gridFrame'>
      <table className='jp-Torchtwin-plainGrid' aria-label='Elements of g'>
        <tbody>
          {rows.map((row, at) => (
            <tr key={String(at)}>
              {row.map((value, column) => (
                <td key={String(column)} title={shortest(value, dtype)}>
                  {compact(value, dtype)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
