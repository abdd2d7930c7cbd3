import { type RefObject, useLayoutEffect, useRef, useState } from 'react';
import type { TensorRow } from '../../protocol';
import { type Line, scrollTo } from '../model/scroll';

/** The frame that the table is scrolled in, and whether it is: then it can be reached by keyboard. */
export function useChangedInSight(rows: TensorRow[]): { frame: RefObject<HTMLDivElement>; scrolls: boolean } {
  const frame = useRef<HTMLDivElement>(null);
  const [scrolls, setScrolls] = useState(false);
  // biome-ignore lint/correctness/useExhaustiveDependencies: other rows are another table to look at
  useLayoutEffect(() => {
    const element = frame.current;
    if (!element) return;
    setScrolls(element.scrollHeight > element.clientHeight);
    showChanged(element);
  }, [rows]);
  return { frame, scrolls };
}

function showChanged(frame: HTMLElement): void {
  const changed = [...frame.querySelectorAll<HTMLElement>('tr.jp-mod-changed')];
  const [first, last] = [changed[0], changed.at(-1)];
  if (!first || !last) return;
  const title = frame.querySelector('thead')?.offsetHeight ?? 0;
  frame.scrollTop = scrollTo(lineOf(first), lineOf(last), title, frame.clientHeight);
}

function lineOf({ offsetTop, offsetHeight }: HTMLElement): Line {
  return { top: offsetTop, height: offsetHeight };
}
