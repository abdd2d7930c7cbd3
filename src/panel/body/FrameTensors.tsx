import { useLayoutEffect, useRef, useState } from 'react';
import type { FrameTensor, PausedFrame } from '../../protocol';
import { shapeText } from '../model/names';
import { count } from '../model/numbers';
import { Name } from './Code';
import { elementFacts, Facts } from './Facts';

const HAS_GRAD = 'Its .grad holds a gradient from backward()';
const REQUIRES_GRAD = 'backward() works out a gradient for it';

/** The tensors that a frame has names for, in a frame of their own that a long list is scrolled in. */
export function FrameTensors({ frame: { tensors, left_out: leftOut } }: { frame: PausedFrame }) {
  const { element, scrolls } = useScrolls(tensors);
  if (tensors.length === 0) return <p className='jp-Torchtwin-quiet'>No name in this frame holds a tensor.</p>;
  const reach = scrolls ? { role: 'group', 'aria-label': 'List of the frame’s tensors', tabIndex: 0 } : {};
  return (
    <div className='jp-Torchtwin-frameTensors'>
      <div ref={element} className='jp-Torchtwin-tensorFrame' {...reach}>
        <table className='jp-Torchtwin-table jp-Torchtwin-tensors jp-mod-wide' aria-label='Tensors of the frame'>
          <thead>
            <tr>
              <th scope='col'>name</th>
              <th scope='col'>shape</th>
              <th scope='col'>dtype, elements and more</th>
            </tr>
          </thead>
          <Scope title='local' tensors={tensors.filter(({ scope }) => scope === 'local')} />
          <Scope title='global' tensors={tensors.filter(({ scope }) => scope === 'global')} />
        </table>
      </div>
      {leftOut > 0 && <p className='jp-Torchtwin-more'>and {count(leftOut)} more</p>}
    </div>
  );
}

/** Those of a scope; no heading where it has none. */
function Scope({ title, tensors }: { title: string; tensors: FrameTensor[] }) {
  if (tensors.length === 0) return null;
  return (
    <tbody>
      <tr className='jp-Torchtwin-scope'>
        <th scope='rowgroup' colSpan={3}>
          {title}
        </th>
      </tr>
      {tensors.map((tensor) => (
        <Row key={tensor.name} tensor={tensor} />
      ))}
    </tbody>
  );
}

function Row({ tensor }: { tensor: FrameTensor }) {
  const { name, shape, dtype, device, requires_grad: requires, has_grad: has, statistics, unread } = tensor;
  return (
    <tr>
      <th scope='row'>
        <Name name={name} limit={22} />
      </th>
      <td className={shape.length > 5 ? 'jp-mod-long' : undefined}>
        <code>{shapeText(shape)}</code>
      </td>
      <td className='jp-Torchtwin-quiet'>
        <Facts
          facts={[
            dtype,
            device !== 'cpu' && device,
            requires && <span title={REQUIRES_GRAD}>requires grad</span>,
            has && <span title={HAS_GRAD}>has grad</span>,
            ...elementFacts(statistics, unread),
          ]}
        />
      </td>
    </tr>
  );
}

function useScrolls(rows: FrameTensor[]) {
  const element = useRef<HTMLDivElement>(null);
  const [scrolls, setScrolls] = useState(false);
  // biome-ignore lint/correctness/useExhaustiveDependencies: other rows are another table
  useLayoutEffect(() => {
    setScrolls(element.current !== null && element.current.scrollHeight > element.current.clientHeight);
  }, [rows]);
  return { element, scrolls };
}
