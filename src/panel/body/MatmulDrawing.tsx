import type { Call } from '../../protocol';
import { type Box, boxes, drawingSentence } from '../model/boxes';
import { Name } from './Code';

const OPERATORS: Record<Box['role'], string> = { input: '', weight_t: '@', bias: '+', output: '=' };

/** The matmul as boxes in proportion to their shapes. */
export function MatmulDrawing({ call }: { call: Call }) {
  const drawn = boxes(call);
  return (
    <div className='jp-Torchtwin-drawing' role='img' aria-label={drawingSentence(call)}>
      {drawn.map((box) => (
        <span key={box.role} className='jp-Torchtwin-boxed'>
          {OPERATORS[box.role] && <span className='jp-Torchtwin-times'>{OPERATORS[box.role]}</span>}
          <BoxFigure box={box} />
        </span>
      ))}
    </div>
  );
}

function BoxFigure({ box }: { box: Box }) {
  return (
    <span className='jp-Torchtwin-box'>
      <BoxPicture box={box} />
      <Name name={box.name} limit={11} />
    </span>
  );
}

const TOP = 15;
const CHARACTER = 6.7;
const STACK = 4;

function BoxPicture({ box }: { box: Box }) {
  const { width, height, rows, columns, batch } = box;
  const left = rows === null ? 2 : String(rows).length * CHARACTER + 5;
  const behind = Math.min(batch.length, 2) * STACK;
  const label = batch.length ? `${batch.join('·')} ×` : '';
  const right = Math.max(behind + 2, label.length * CHARACTER - width / 2);
  const total = { width: left + width + right + 2, height: TOP + behind + height + (label ? 16 : 2) };
  return (
    <svg width={total.width} height={total.height} viewBox={`0 0 ${total.width} ${total.height}`} aria-hidden='true'>
      {Array.from({ length: behind / STACK }, (_, at) => behind - at * STACK).map((shift) => (
        <rect key={shift} x={left + shift} y={TOP + behind - shift} width={width} height={height} />
      ))}
      <rect className={`jp-mod-${box.role}`} x={left} y={TOP + behind} width={width} height={height} />
      <text x={left + (width + behind) / 2} y={TOP - 4} textAnchor='middle' className={inner(box, 'columns')}>
        {columns}
      </text>
      {rows !== null && (
        <text x={left - 4} y={TOP + behind + height / 2 + 4} textAnchor='end' className={inner(box, 'rows')}>
          {rows}
        </text>
      )}
      {label && (
        <text x={left + width / 2} y={TOP + behind + height + 13} textAnchor='middle' className='jp-mod-batch'>
          {label}
        </text>
      )}
    </svg>
  );
}

function inner({ role }: Box, side: 'rows' | 'columns'): string {
  const matches = (role === 'input' && side === 'columns') || (role === 'weight_t' && side === 'rows');
  return matches ? 'jp-mod-innerSize' : '';
}
