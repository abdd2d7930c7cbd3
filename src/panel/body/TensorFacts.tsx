import { Children, Fragment, type ReactNode } from 'react';
import type { TensorRow } from '../../protocol';
import { Name } from './Code';

/** What is to be said of a tensor beside its name and shape, the special words explained on hover. */
export function TensorFacts({ row }: { row: TensorRow }) {
  return (
    <>
      {facts(row).map((fact, index) => (
        <Fragment key={String(index)}>
          {index > 0 && ' · '}
          {fact}
        </Fragment>
      ))}
    </>
  );
}

const REQUIRES_GRAD = 'backward() works out a gradient for it';
const HAS_GRAD = 'Its .grad holds a gradient from backward()';
const STORAGE = 'Both names stand for the same memory: changing one in place changes the other';
const OUTPUT_OF = 'A recorded call returned it';

function facts(row: TensorRow): ReactNode[] {
  return [
    changeOf(row),
    row.dtype,
    row.device === 'cpu' ? null : row.device,
    row.requires_grad ? explained(REQUIRES_GRAD, 'requires grad') : null,
    row.has_grad ? explained(HAS_GRAD, 'has grad') : null,
    row.shares.length ? explained(STORAGE, 'storage of ', separated(row.shares)) : null,
    row.output_of === null ? null : explained(OUTPUT_OF, 'output of ', <Name name={row.output_of} limit={24} />),
  ].filter((fact) => fact !== null);
}

function explained(title: string, ...words: ReactNode[]): ReactNode {
  return <span title={title}>{Children.toArray(words)}</span>;
}

function changeOf(row: TensorRow): ReactNode {
  if (row.new) return <Change word='new' how='in the last cell' title='No tensor had this name before' />;
  return row.changed ? (
    <Change word='changed' how='by the last cell' title='Assigned anew, or changed in place' />
  ) : null;
}

interface ChangeProps {
  word: string;
  how: string;
  title: string;
}

function Change({ word, how, title }: ChangeProps) {
  return (
    <span className='jp-Torchtwin-changed' title={title}>
      {word}
      <span className='jp-Torchtwin-unseen'> {how}</span>
    </span>
  );
}

function separated(names: string[]): ReactNode[] {
  return names.flatMap((name, index) => [index ? ', ' : '', <Name key={name} name={name} />]);
}
