import type { Call } from '../../protocol';
import { type Box, boxes, drawingSentence } from '../model/boxes';
import { Name } from './Code';

const OPERATORS: Record<Box['role'], string> = { input: '', weight_t: '@', bias: '+', output: '=' };

/** The matmul as boxes in proportion to their shapes. */
export function MatmulDrawing({ call }: { call: Pick<Call, 'operands'> }) {
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
  const space = spaceAround(box);
  return (
    <span className='jp-Torchtwin-box'>
      <BoxPicture box={box} space={space} />
      <span style={{ transform: `translateX(${(space.left - space.right) / 2}px)` }}>
        <Name name={box.name} limit={11} />
      </span>
    </span>
  );
}

const TOP = 15;
const CHARACTER = 6.7;
const STACK = 4;

interface Space {
  left: number;
  right: number;
  /** How far the matrices behind stand out. */
  behind: number;
  /** `8 ×`: how many there are. */
  label: string;
}

function spaceAround({ width, rows, batch }: Box): Space {
  const left = rows === null ? 2 : String(rows).length * CHARACTER + 5;
  const behind = Math.min(batch.length, 2) * STACK;
  const label = batch.length ? `${batch.join('·')} ×` : '';
  return { left, behind, label, right: 2 + Math.max(behind, (label.length * CHARACTER - width) / 2) };
}

function BoxPicture({ box, space: { left, right, behind, label } }: { box: Box; space: Space }) {
  const { width, height, rows, columns, role } = box;
  const [total, top] = [left + width + right, TOP + behind];
  const below = top + height + (label ? 16 : 2);
  return (
    <svg width={total} height={below} viewBox={`0 0 ${total} ${below}`} aria-hidden='true'>
      {Array.from({ length: behind / STACK }, (_, at) => behind - at * STACK).map((shift) => (
        <rect key={shift} x={left + shift} y={top - shift} width={width} height={height} />
      ))}
      <rect className={`jp-mod-${role}`} x={left} y={top} width={width} height={height} />
      <text x={left + (width + behind) / 2} y={TOP - 4} textAnchor='middle' className={inner(box, 'columns')}>
        {columns}
      </text>
      <text x={left - 4} y={top + height / 2 + 4} textAnchor='end' className={inner(box, 'rows')}>
        {rows}
      </text>
      <text x={left + width / 2} y={top + height + 13} textAnchor='middle' className='jp-mod-batch'>
        {label}
      </text>
    </svg>
  );
}

function inner({ role }: Box, side: 'rows' | 'columns'): string {
  const matches = (role === 'input' && side === 'columns') || (role === 'weight_t' && side === 'rows');
  return matches ? 'jp-mod-innerSize' : '';
}
