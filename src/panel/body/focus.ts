import { type RefObject, useEffect, useLayoutEffect, useRef } from 'react';

/** What always stays: the part of the panel below its head. */
const STAYS = '.jp-Torchtwin-content';

/** Where an element that has the focus is taken away, the focus goes to the panel around it, not to the whole page. */
export function useLeavesFocus<T extends HTMLElement>(): RefObject<T> {
  const element = useRef<T>(null);
  useLayoutEffect(() => {
    const mine = element.current;
    return () => {
      if (mine && mine === document.activeElement) mine.closest<HTMLElement>(STAYS)?.focus({ preventScroll: true });
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
