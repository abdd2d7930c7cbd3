import type { Call, Verdict } from '../../protocol';
import { shapeText } from '../model/names';
import { Formula, Name } from './Code';
import { VerdictSentence } from './Verdicts';

interface Line {
  role: 'weight' | 'bias' | 'input';
  name: string;
  shape: number[];
  formula: string;
  verdict: Verdict | null;
}

/** The gradients: of what, by which formula, and whether the layer's agree. */
export function GradientTable({ call }: { call: Call }) {
  return (
    <table className='jp-Torchtwin-table jp-mod-inset jp-Torchtwin-gradients'>
      <caption>
        <code>g</code> is the gradient of <Name name={call.operands.output?.name ?? 'the output'} />
      </caption>
      <thead>
        <tr>
          <th scope='col'>gradient</th>
          <th scope='col'>formula</th>
          <th scope='col'>verdict</th>
        </tr>
      </thead>
      <tbody>
        {linesOf(call).map((line) => (
          <Row key={line.role} line={line} />
        ))}
      </tbody>
    </table>
  );
}

function linesOf({ operands, gradients, gradient_formulas: formulas, gradient_names: names }: Call): Line[] {
  const roles = ['weight', 'bias', 'input'] as const;
  return roles.flatMap((role) => {
    const [operand, formula, name] = [operands[role], formulas[role], names[role]];
    if (!operand || formula === null || name === null) return [];
    return [{ role, name, shape: operand.shape, formula, verdict: gradients[role] ?? null }];
  });
}

function Row({ line: { name, shape, formula, verdict } }: { line: Line }) {
  return (
    <tr>
      <th scope='row'>
        <Formula text={name} />
        <br />
        <code className='jp-Torchtwin-shape'>{shapeText(shape)}</code>
      </th>
      <td>
        <Formula text={formula} />
      </td>
      <td>
        {verdict ? (
          <VerdictSentence verdict={verdict} brief />
        ) : (
          <span className='jp-Torchtwin-unchecked'>– no backward yet</span>
        )}
      </td>
    </tr>
  );
}
