import type { TensorRow, Tensors } from '../../protocol';
import { shapeText, shorten } from '../model/names';
import { count } from '../model/numbers';
import { Name } from './Code';
import { Section } from './Section';
import { TensorFacts } from './TensorFacts';
import { useChangedInSight } from './useChangedInSight';

export function TensorSection({ tensors }: { tensors: Tensors }) {
  const { rows, left_out: leftOut, unmatched = 0 } = tensors;
  return (
    <Section title='Tensors' remark={remark(tensors)}>
      <TensorFrame rows={rows} />
      {leftOut > 0 && <p className='jp-Torchtwin-more'>{count(leftOut)} more are not listed.</p>}
      {unmatched > 0 && <p className='jp-Torchtwin-more'>{unmatchedSentence(unmatched)}</p>}
    </Section>
  );
}

/** `9, 1 new, 3 changed` */
function remark({ rows, left_out: leftOut }: Tensors): string {
  const fresh = rows.filter((row) => row.new).length;
  const changed = rows.filter((row) => row.changed && !row.new).length;
  const parts = [count(rows.length + leftOut), fresh && `${count(fresh)} new`, changed && `${count(changed)} changed`];
  return parts.filter(Boolean).join(', ');
}

function unmatchedSentence(number: number): string {
  const variables = number === 1 ? '1 variable was' : `${count(number)} variables were`;
  return `${variables} not compared with the calls, so that the cell ends in time. Ask for one by its name: %twin name`;
}

/** The table in a frame of its own, so that a long one leaves room for the calls; what changed is brought into sight. */
function TensorFrame({ rows }: { rows: TensorRow[] }) {
  const { frame, scrolls } = useChangedInSight(rows);
  const reach = scrolls ? { role: 'group', 'aria-label': 'List of tensors', tabIndex: 0 } : {};
  return (
    <div ref={frame} className='jp-Torchtwin-tensorFrame' {...reach}>
      <TensorTable rows={rows} />
    </div>
  );
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
    <tr className={row.changed || row.new ? 'jp-mod-changed' : undefined}>
      <th scope='row'>
        <Name name={row.name} limit={NAME} />
      </th>
      <td className={shapeText(row.shape).length > SHAPE ? 'jp-mod-long' : undefined}>
        <code>{shapeText(row.shape)}</code>
      </td>
      <td className='jp-Torchtwin-quiet'>
        <TensorFacts row={row} />
      </td>
    </tr>
  );
}
