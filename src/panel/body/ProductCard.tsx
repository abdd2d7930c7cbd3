import { useId } from 'react';
import type { PausedFrame, Product } from '../../protocol';
import { RAISES, STATES } from '../model/pauseText';
import { Formula, Sentence } from './Code';
import { useReading } from './context';
import { Expression, Spelled } from './Expression';
import { Explanation } from './Failures';
import { MatmulDrawing } from './MatmulDrawing';
import { Chevron } from './Section';

interface Props {
  product: Product;
  /** The frame that it stands in. */
  of: PausedFrame;
}

/** A product that the line is about to compute, with its shapes; or why it will fail. */
export function ProductCard({ product, of }: Props) {
  const { error, unknown, operands } = product;
  const isDrawn = !error && operands.input !== null && operands.weight_t !== null;
  return (
    <article
      className={`jp-Torchtwin-product${error ? ' jp-Torchtwin-failure' : ''}`}
      aria-label={`${product.words} ${error ? RAISES[product.state] : STATES[product.state]}`}
    >
      {isDrawn ? <Drawn product={product} of={of} /> : <Told product={product} of={of} />}
      {unknown && (
        <p className='jp-Torchtwin-quiet'>
          <Sentence text={`Not known: ${unknown}.`} />
        </p>
      )}
    </article>
  );
}

/** The drawing is open where it is the only one. */
function Drawn({ product, of }: Props) {
  const reading = useReading();
  const id = useId();
  const key = `product ${product.words}`;
  const isOpen = reading.isUnfolded(key) ?? of.products.length === 1;
  return (
    <>
      <div className='jp-Torchtwin-row'>
        <h3 className='jp-Torchtwin-callName'>
          <button type='button' aria-expanded={isOpen} aria-controls={id} onClick={() => reading.unfold(key, !isOpen)}>
            <Chevron />
            <Formula text={product.words} />
          </button>
        </h3>
        <State product={product} of={of} />
      </div>
      <Expression call={product} />
      <Spelled call={product} />
      <div id={id} hidden={!isOpen}>
        {isOpen && <MatmulDrawing call={product} />}
      </div>
    </>
  );
}

function Told({ product, of }: Props) {
  const isWritten = !product.error && (product.operands.input !== null || product.operands.weight_t !== null);
  return (
    <>
      <div className='jp-Torchtwin-row'>
        <h3 className='jp-Torchtwin-callName'>
          <Formula text={product.words} />
        </h3>
        <State product={product} of={of} />
      </div>
      {isWritten && <Expression call={product} />}
      <Explanation call={product} />
    </>
  );
}

function State({ product: { state, error, line }, of }: Props) {
  const isElsewhere = line !== null && line !== of.site.line;
  const where = isElsewhere ? `, line ${line}` : '';
  if (!error) return <span className='jp-Torchtwin-quiet'>{STATES[state] + where}</span>;
  return (
    <span className='jp-Torchtwin-error'>
      <span aria-hidden='true'>✕ </span>
      {`${RAISES[state]} ${error.type}${where}`}
    </span>
  );
}
