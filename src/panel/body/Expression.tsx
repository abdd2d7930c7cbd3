import { Fragment } from 'react';
import { type Dimension, type Term, terms, unspelled, type Written } from '../model/expression';
import type { Factor } from '../model/gradientShapes';
import { Formula, Name } from './Code';

/** The expression with the shape of every operand under it. Breaks between operands where it is too long. */
export function Expression({ call }: { call: Written }) {
  return (
    <div className='jp-Torchtwin-expression' title={call.expression}>
      {terms(call).map((term, index) => (
        <Part key={String(index)} term={term} />
      ))}
    </div>
  );
}

/** How many characters of code take about two lines. */
const SHORT = 80;

/** The expression as one would type it, where the drawn operands don't spell it. `only`: if it is so long. */
export function Spelled({ call, only }: { call: Written; only?: 'short' | 'long' }) {
  const text = unspelled(call);
  const length = text !== null && text.length > SHORT ? 'long' : 'short';
  if (text === null || length !== (only ?? length)) return null;
  return (
    <div className='jp-Torchtwin-spelled'>
      <Formula text={text} />
    </div>
  );
}

function Part({ term: { operator, name, shape } }: { term: Term }) {
  return (
    <span className='jp-Torchtwin-part'>
      {operator && <span className='jp-Torchtwin-operator'>{operator}</span>}
      <span className='jp-Torchtwin-operand'>
        <Name name={name} />
        {shape && <Shape dimensions={shape} />}
      </span>
    </span>
  );
}

/** What a formula takes, by its shapes, as they stand in it: `[3, 1] @ [1, 2]`. */
export function Factors({ factors }: { factors: Factor[] }) {
  return (
    <div className='jp-Torchtwin-factors'>
      {factors.map(({ operator, shape }, index) => (
        <Fragment key={String(index)}>
          {index > 0 && ' '}
          <span>
            {operator && <span className='jp-Torchtwin-operator'>{operator} </span>}
            <Shape dimensions={shape} />
          </span>
        </Fragment>
      ))}
    </div>
  );
}

const MARKS = { inner: 'jp-Torchtwin-inner', clash: 'jp-Torchtwin-clash' };

export function Shape({ dimensions }: { dimensions: Dimension[] }) {
  return (
    <code className='jp-Torchtwin-shape'>
      [
      {dimensions.map(({ size, mark }, index) => (
        <span key={String(index)}>
          {index > 0 && ', '}
          {mark ? <b className={MARKS[mark]}>{size}</b> : size}
        </span>
      ))}
      ]
    </code>
  );
}
