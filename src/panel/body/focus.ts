import { type FocusEvent, type RefObject, useEffect, useLayoutEffect, useRef } from 'react';

/** What always stays: the part of the panel below its head, which is scrolled. */
export const SCROLLER = '.jp-Torchtwin-content';

/** Where an element that has the focus is taken away, the focus goes to the panel around it, not to the whole page. */
export function useLeavesFocus<T extends HTMLElement>(): RefObject<T> {
  const element = useRef<T>(null);
  useLayoutEffect(() => {
    const mine = element.current;
    return () => {
      if (mine && mine === document.activeElement) mine.closest<HTMLElement>(SCROLLER)?.focus({ preventScroll: true });
    };
  }, []);
  return element;
}

/** Focuses, after the next drawing, what a button has given its place to. */
export function useFocusAfter(): (find: () => HTMLElement | null | undefined) => void {
  const wanted = useRef<() => HTMLElement | null | undefined>();
  useEffect(() => {
    wanted.current?.()?.focus();
    wanted.current = undefined;
  });
  return (find) => {
    wanted.current = find;
  };
}

/**
 * Which row of a list has the focus, as its attribute `data-key` says; and the focus stays on what had it when its row is
 * moved among the others, for which a browser takes it away.
 */
export function useFocusedRow() {
  const key = useRef<string | null>(null);
  const element = useRef<HTMLElement | null>(null);
  useLayoutEffect(() => {
    const lost = document.activeElement === document.body ? element.current : null;
    if (lost?.isConnected) lost.focus({ preventScroll: true });
  });
  const onFocus = ({ target }: FocusEvent<HTMLElement>) => {
    element.current = target;
    key.current = target.closest<HTMLElement>('[data-key]')?.dataset.key ?? null;
  };
  const onBlur = ({ target }: FocusEvent<HTMLElement>) => {
    // That of an element which is taken away, or moved, comes when it is in the page no more.
    if (target.isConnected) key.current = element.current = null;
  };
  return { key, onFocus, onBlur };
}
