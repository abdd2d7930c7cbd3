import { defaultRangeExtractor, type Range, useVirtualizer, type Virtualizer } from '@tanstack/react-virtual';
import { type RefObject, useCallback, useLayoutEffect, useRef, useState } from 'react';
import type { Row, RowKey, Rows } from '../model/rows';
import { SCROLLER } from './focus';

export type VirtualRows = Virtualizer<HTMLElement, HTMLElement>;

/** Pixels, before a row has been measured. */
const HEIGHT = { group: 96, call: 86, among: 29 };

/** Rows beyond those in sight. */
const BEYOND = 8;

interface Options {
  rows: Rows;
  list: RefObject<HTMLElement>;
  /** Lines that stay drawn wherever they are: what is open or has the focus. */
  kept: () => number[];
}

/** The rows of a list that are drawn: those in sight of the panel's scrolled part, and those that are kept. */
export function useVirtualRows({ rows, list, kept }: Options): VirtualRows {
  const scroller = useCallback(() => list.current?.closest<HTMLElement>(SCROLLER) ?? null, [list]);
  const top = useTop(list, scroller);
  const virtual = useRef<VirtualRows | null>(null);
  const reading = (virtual.current?.scrollOffset ?? 0) > top;
  virtual.current = useVirtualizer<HTMLElement, HTMLElement>({
    count: rows.count,
    getScrollElement: scroller,
    estimateSize: useCallback((index: number) => heightOf(rows.at(index)), [rows]),
    getItemKey: useCallback((index: number): RowKey => rows.keyAt(index), [rows]),
    rangeExtractor: (range) => withKept(range, [...kept(), headAt(rows, range.startIndex)]),
    scrollMargin: top,
    overscan: BEYOND,
    // What comes above the line that is read moves it out of sight; on top, it is what is to be seen.
    anchorTo: reading ? 'end' : 'start',
    scrollEndThreshold: Number.NEGATIVE_INFINITY,
  });
  return virtual.current;
}

function heightOf(row: Row | undefined): number {
  if (row?.type === 'group') return HEIGHT.group;
  return row?.alone ? HEIGHT.call : HEIGHT.among;
}

/** The head of the group that is read: the keyboard's way back to it. */
function headAt(rows: Rows, index: number): number {
  const group = rows.unfoldedAt(index);
  return group ? rows.indexOfGroup(group) : -1;
}

function withKept(range: Range, kept: number[]): number[] {
  const shown = defaultRangeExtractor(range);
  const others = kept.filter((index) => index >= 0 && index < range.count);
  return [...new Set([...shown, ...others])].sort((a, b) => a - b);
}

/** How far below the top of what is scrolled the list begins. What changes above it moves nothing that is read. */
function useTop(list: RefObject<HTMLElement>, scroller: () => HTMLElement | null): number {
  const [top, setTop] = useState(0);
  const known = useRef(0);
  const measure = useCallback(() => {
    const [element, around] = [list.current, scroller()];
    if (!element || !around) return;
    const now = Math.round(topOf(element) - topOf(around) + around.scrollTop);
    if (now === known.current) return;
    if (around.scrollTop > known.current) around.scrollTop += now - known.current;
    known.current = now;
    setTop(now);
  }, [list, scroller]);
  useLayoutEffect(measure);
  useLayoutEffect(() => {
    const content = scroller()?.firstElementChild;
    if (!content || typeof ResizeObserver === 'undefined') return;
    const observer = new ResizeObserver(measure);
    observer.observe(content);
    return () => observer.disconnect();
  }, [measure, scroller]);
  return top;
}

function topOf(element: HTMLElement): number {
  return element.getBoundingClientRect().top;
}
