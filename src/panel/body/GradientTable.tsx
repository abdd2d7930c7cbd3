import type { Call, Operands, Verdict } from '../../protocol';
import { type Factor, type GradientRole, gradientShapes } from '../model/gradientShapes';
import { shortenIn } from '../model/names';
import { Formula, Name } from './Code';
import { Factors, Shape } from './Expression';
import { VerdictSentence } from './Verdicts';

interface Line {
  role: GradientRole;
  name: string;
  shape: number[];
  formula: string;
  /** What the formula takes. */
  factors: Factor[];
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
          <Row key={line.role} line={line} operands={call.operands} />
        ))}
      </tbody>
    </table>
  );
}

const ROLES: GradientRole[] = ['weight', 'bias', 'input'];

function linesOf(call: Call): Line[] {
  return ROLES.flatMap((role) => {
    const [operand, formula, name] = [call.operands[role], call.gradient_formulas[role], call.gradient_names[role]];
    if (!operand || formula === null || name === null) return [];
    const verdict = call.gradients[role] ?? null;
    return [{ role, name, shape: operand.shape, formula, factors: gradientShapes(call, role), verdict }];
  });
}

function Row({ line, operands: { input, weight } }: { line: Line; operands: Operands }) {
  const { name, shape, formula, factors, verdict } = line;
  const long = [input, weight].flatMap((operand) => operand?.name ?? []);
  return (
    <tr>
      <th scope='row'>
        <Name name={name} />
        <br />
        <Shape dimensions={shape.map((size) => ({ size, mark: null }))} />
      </th>
      <td>
        <Formula text={formula} short={shortenIn(formula, long)} />
        <Factors factors={factors} />
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
