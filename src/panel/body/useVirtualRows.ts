import {
  defaultRangeExtractor,
  measureElement,
  type Range,
  useVirtualizer,
  type Virtualizer,
} from '@tanstack/react-virtual';
import { type RefObject, useCallback, useLayoutEffect, useRef, useState } from 'react';
import type { RowKey, RowKind, Rows } from '../model/rows';
import { SCROLLER } from './focus';

export type VirtualRows = Virtualizer<HTMLElement, HTMLElement>;

/** Pixels, before a row of the kind has been measured. */
const HEIGHT: Record<RowKind, number> = { group: 96, alone: 86, among: 27 };

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
  const top = useTop(list, scroller, rows);
  const heights = useHeights(rows);
  const isPlaced = usePlaced();
  const virtual = useRef<VirtualRows | null>(null);
  const reading = (virtual.current?.scrollOffset ?? 0) > top;
  virtual.current = useVirtualizer<HTMLElement, HTMLElement>({
    count: rows.count,
    getScrollElement: scroller,
    // Where the panel stands is known only with the list in it; told nothing, the virtualizer scrolls it to the top.
    enabled: isPlaced,
    initialOffset: () => scroller()?.scrollTop ?? 0,
    ...heights,
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

/** Whether what is drawn is in the page. */
function usePlaced(): boolean {
  const [placed, setPlaced] = useState(false);
  useLayoutEffect(() => setPlaced(true), []);
  return placed;
}

/**
 * Rows of one kind are about as high as the last one that was seen: where that is right, nothing has to be put elsewhere
 * once it is drawn.
 */
function useHeights(rows: Rows) {
  const known = useRef({ ...HEIGHT });
  const estimateSize = useCallback((index: number) => known.current[rows.kindAt(index)], [rows]);
  const measure = (element: HTMLElement, entry: ResizeObserverEntry | undefined, instance: VirtualRows) => {
    const index = instance.indexFromElement(element);
    const taken = instance.measurementsCache[index]?.size ?? estimateSize(index);
    const height = measureElement(element, entry, instance);
    if (height === 0 && isHidden(element)) return taken;
    const open = element.firstElementChild?.classList.contains('jp-mod-open');
    if (!open) known.current[rows.kindAt(index)] = height;
    if (height === taken) keep(instance, rows.keyAt(index), height);
    return height;
  };
  return { estimateSize, measureElement: measure };
}

/** In a panel that is put away nothing has a height. */
function isHidden(element: HTMLElement): boolean {
  return element.getClientRects().length === 0;
}

/** The virtualizer forgets a height that was guessed right, and would put another guess in its place later. */
function keep({ itemSizeCache }: VirtualRows, key: RowKey, height: number): void {
  if (!itemSizeCache.has(key)) itemSizeCache.set(key, height);
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
function useTop(list: RefObject<HTMLElement>, scroller: () => HTMLElement | null, rows: Rows): number {
  const [top, setTop] = useState(0);
  const known = useRef<number | null>(null);
  const measure = useCallback(() => {
    const [element, around] = [list.current, scroller()];
    if (!element || !around) return;
    const now = Math.round(topOf(element) - topOf(around) + around.scrollTop);
    if (now === known.current) return;
    if (known.current !== null && around.scrollTop > known.current) around.scrollTop += now - known.current;
    known.current = now;
    setTop(now);
  }, [list, scroller]);
  // Not while scrolling: to ask where something is costs a layout.
  // biome-ignore lint/correctness/useExhaustiveDependencies: what brings other rows may bring other things above them
  useLayoutEffect(measure, [measure, rows]);
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
