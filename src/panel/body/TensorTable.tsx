import { Fragment, type ReactNode } from 'react';
import type { TensorRow, Tensors } from '../../protocol';
import { shapeText, shorten } from '../model/names';
import { count } from '../model/numbers';
import { Name } from './Code';
import { Section } from './Section';

export function TensorSection({ tensors }: { tensors: Tensors }) {
  const { rows, left_out: leftOut, unmatched = 0 } = tensors;
  const changed = rows.filter((row) => row.changed).length;
  const remark = `${count(rows.length + leftOut)}${changed ? `, ${count(changed)} changed` : ''}`;
  return (
    <Section title='Tensors' remark={remark}>
      <TensorTable rows={rows} />
      {leftOut > 0 && <p className='jp-Torchtwin-more'>{count(leftOut)} more are not listed.</p>}
      {unmatched > 0 && <p className='jp-Torchtwin-more'>{unmatchedSentence(unmatched)}</p>}
    </Section>
  );
}

function unmatchedSentence(number: number): string {
  const variables = number === 1 ? '1 variable was' : `${count(number)} variables were`;
  return `${variables} not held against the calls: no time left`;
}

/** Name and shape are stacked above the rest in a panel of usual width where side by side they leave it no room. */
function TensorTable({ rows }: { rows: TensorRow[] }) {
  return (
    <table className={`jp-Torchtwin-table jp-Torchtwin-tensors${isWide(rows) ? ' jp-mod-wide' : ''}`}>
      <thead>
        <tr>
          <th scope='col'>name</th>
          <th scope='col'>shape</th>
          <th scope='col'>dtype and more</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <Row key={row.name} row={row} />
        ))}
      </tbody>
    </table>
  );
}

/** Characters that a name may have, that a shape may have on one line, and that both may have beside the rest. */
const [NAME, SHAPE, BOTH] = [22, 21, 28];

function isWide(rows: TensorRow[]): boolean {
  const longest = (texts: string[]) => Math.max(0, ...texts.map((text) => text.length));
  const names = longest(rows.map(({ name }) => shorten(name, NAME)));
  return names + Math.min(SHAPE, longest(rows.map(({ shape }) => shapeText(shape)))) > BOTH;
}

function Row({ row }: { row: TensorRow }) {
  return (
    <tr className={row.changed ? 'jp-mod-changed' : undefined}>
      <th scope='row'>
        <Name name={row.name} limit={NAME} />
      </th>
      <td className={shapeText(row.shape).length > SHAPE ? 'jp-mod-long' : undefined}>
        <code>{shapeText(row.shape)}</code>
      </td>
      <td className='jp-Torchtwin-quiet'>
        {facts(row).map((fact, index) => (
          <Fragment key={String(index)}>
            {index > 0 && ' · '}
            {fact}
          </Fragment>
        ))}
      </td>
    </tr>
  );
}

function facts(row: TensorRow): ReactNode[] {
  const names = row.shares.map((name) => <Name key={name} name={name} />);
  return [
    row.changed ? <Changed key='changed' /> : null,
    row.dtype,
    row.device === 'cpu' ? null : row.device,
    row.requires_grad ? 'requires grad' : null,
    row.has_grad ? 'has grad' : null,
    names.length ? <>storage of {separated(names)}</> : null,
    row.output_of === null ? null : (
      <>
        output of <Name name={row.output_of} limit={24} />
      </>
    ),
  ].filter((fact) => fact !== null);
}

function Changed() {
  return (
    <span className='jp-Torchtwin-changed'>
      changed<span className='jp-Torchtwin-unseen'> by the last cell</span>
    </span>
  );
}

function separated(names: ReactNode[]): ReactNode[] {
  return names.flatMap((name, index) => (index ? [', ', name] : [name]));
}
