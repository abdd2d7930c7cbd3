import { type SyntheticEvent, useEffect, useState } from 'react';
import type { Mode } from '../../protocol';
import { EXPLAINED, MODES } from '../model/mode';

interface Props {
  mode: Mode;
  /** Not the attribute `disabled`, which would take the focus away. */
  idle: boolean;
  /** How many choices were not carried out. */
  refusals: number;
  choose: (mode: Mode) => void;
}

/** Which calls are checked. Shows what was chosen until the kernel has said what holds. */
export function ModeSelect({ mode, idle, refusals, choose }: Props) {
  const [wanted, want] = useState<Mode | null>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: either one ends the wait
  useEffect(() => want(null), [mode, refusals]);
  const change = (value: string) => {
    const chosen = MODES.find((each) => each.mode === value)?.mode;
    if (idle || !chosen) return;
    want(chosen);
    choose(chosen);
  };
  const refuse = (event: SyntheticEvent) => idle && event.preventDefault();
  return (
    <select
      className='jp-Torchtwin-mode'
      aria-label='Calls that are checked'
      title={EXPLAINED}
      aria-disabled={idle}
      value={wanted ?? mode}
      onChange={(event) => change(event.target.value)}
      onMouseDown={refuse}
      onKeyDown={(event) => event.key === 'Tab' || refuse(event)}
    >
      {MODES.map(({ mode: each, word }) => (
        <option key={each} value={each}>
          {word}
        </option>
      ))}
    </select>
  );
}
