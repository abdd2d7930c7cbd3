import { useId } from 'react';
import type { Call, Verdict } from '../../protocol';
import { type Factor, type GradientRole, gradientShapes } from '../model/gradientShapes';
import { shorten, shortenIn } from '../model/names';
import { isReached } from '../model/verdictText';
import { Formula } from './Code';
import { Factors, Shape } from './Expression';
import { GradOutput } from './GradOutput';
import { VerdictSentence } from './VerdictSentence';

interface Line {
  role: GradientRole;
  name: string;
  shape: number[];
  formula: string;
  /** The same with its names shortened. */
  short: string;
  /** What the formula takes. */
  factors: Factor[];
  verdict: Verdict | null;
}

/** The gradients: of what, by which formula, and whether the layer's agree. */
export function GradientTable({ call }: { call: Call }) {
  const lines = linesOf(call);
  const wide = lines.some(({ short }) => short.length > BESIDE);
  const id = useId();
  const modifier = wide ? ' jp-mod-wide' : '';
  return (
    <div>
      <GradOutput call={call} id={id} />
      <table className={`jp-Torchtwin-table jp-mod-inset jp-Torchtwin-gradients${modifier}`} aria-labelledby={id}>
        <thead>
          <tr>
            <th scope='col'>gradient</th>
            <th scope='col'>formula</th>
            <th scope='col'>verdict</th>
          </tr>
        </thead>
        <tbody>
          {lines.map((line) => (
            <Row key={line.role} line={line} missing={isReached(call) ? 'no gradient' : 'no backward yet'} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** How many characters a formula may have beside the rest; longer ones get lines of their own. */
const BESIDE = 32;
/** And its names, where two of them stand between a good deal of `flatten`. */
const NAME = 14;
const ROLES: GradientRole[] = ['weight', 'bias', 'input'];

function linesOf(call: Call): Line[] {
  return ROLES.flatMap((role) => {
    const [operand, formula, name] = [call.operands[role], call.gradient_formulas[role], call.gradient_names[role]];
    if (!operand || formula === null || name === null) return [];
    const [verdict, short] = [call.gradients[role] ?? null, shortenIn(formula, namesIn(call), NAME)];
    return [{ role, name, shape: operand.shape, formula, short, factors: gradientShapes(call, role), verdict }];
  });
}

function namesIn({ operands: { input, weight } }: Call): string[] {
  return [input, weight].flatMap((operand) => operand?.name ?? []);
}

/** `missing`: what to say where there is no gradient. */
function Row({ line, missing }: { line: Line; missing: string }) {
  const { name, shape, formula, short, factors, verdict } = line;
  return (
    <tr>
      <th scope='row'>
        <Formula text={name} short={shorten(name)} />
        <br />
        <Shape dimensions={shape.map((size) => ({ size, mark: null }))} />
      </th>
      <td>
        <Formula text={formula} short={short} />
        <Factors factors={factors} />
      </td>
      <td>
        {verdict ? (
          <VerdictSentence verdict={verdict} shape={shape} brief />
        ) : (
          <span className='jp-Torchtwin-unchecked'>– {missing}</span>
        )}
      </td>
    </tr>
  );
}
