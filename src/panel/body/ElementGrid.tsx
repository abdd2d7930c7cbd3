import { type KeyboardEvent, useRef } from 'react';
import type { Call } from '../../protocol';
import { elementName } from '../model/elements';
import { AGREEMENT_SIGN, type Agreement, agreement, gridColumns, move } from '../model/grid';
import { compact, shortest } from '../model/numbers';
import type { Compared } from '../model/tensorOf';

interface Props {
  call: Call;
  tensor: Compared;
  chosen: number | null;
  choose: (flat: number) => void;
}

/** Every element with a sign for whether layer and formula agree in it. Arrow keys walk, one tab stop in all. */
export function ElementGrid({ call, tensor, chosen, choose }: Props) {
  const grid = useRef<HTMLTableElement>(null);
  const columns = gridColumns(tensor);
  const rows = Math.ceil((tensor.layer?.length ?? 0) / columns);
  const walk = (event: KeyboardEvent) => {
    const next = move(event.key, chosen ?? 0, columns, tensor.layer?.length ?? 0);
    if (next === null) return;
    event.preventDefault();
    choose(next);
    grid.current?.querySelector<HTMLElement>(`[data-flat="${next}"]`)?.focus();
  };
  return (
    <div className='jp-Torchtwin-gridFrame'>
      <table ref={grid} aria-label={`Elements of ${tensor.label}`} className='jp-Torchtwin-grid'>
        <tbody>
          {Array.from({ length: rows }, (_, row) => (
            <tr key={String(row)}>
              {Array.from({ length: columns }, (_, column) => {
                const flat = row * columns + column;
                const cell = {
                  call,
                  tensor,
                  flat,
                  chosen: flat === chosen,
                  stop: flat === (chosen ?? 0),
                  choose,
                  walk,
                };
                return <Cell key={String(column)} {...cell} />;
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface CellProps extends Omit<Props, 'chosen'> {
  flat: number;
  chosen: boolean;
  /** Whether the tab key stops here. */
  stop: boolean;
  walk: (event: KeyboardEvent) => void;
}

function Cell({ call, tensor, flat, chosen, stop, choose, walk }: CellProps) {
  const value = tensor.layer?.[flat] ?? 'nan';
  const layer = shortest(value, tensor.dtype);
  const agrees = agreement(call, tensor, flat);
  return (
    <td>
      <button
        type='button'
        aria-pressed={chosen}
        aria-label={`${elementName(tensor, flat)}: ${layer}, ${WORDS[agrees]}`}
        title={`${elementName(tensor, flat)}\nlayer ${layer}${formulaLine(tensor, flat)}`}
        className={`jp-Torchtwin-cell jp-mod-${agrees}`}
        data-flat={flat}
        tabIndex={stop ? 0 : -1}
        onClick={() => choose(flat)}
        onKeyDown={walk}
      >
        {compact(value, tensor.dtype)} <span aria-hidden='true'>{AGREEMENT_SIGN[agrees]}</span>
      </button>
    </td>
  );
}

function formulaLine({ twin, dtype }: Compared, flat: number): string {
  const value = twin?.[flat];
  return value === undefined ? '' : `\nformula ${shortest(value, dtype)}`;
}

const WORDS: Record<Agreement, string> = {
  same: 'equal in layer and formula',
  rounding: 'differs by rounding',
  different: 'differs beyond rounding',
  unchecked: 'not compared',
};
