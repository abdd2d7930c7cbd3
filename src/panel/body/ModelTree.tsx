import { defaultRangeExtractor, type Range, useVirtualizer } from '@tanstack/react-virtual';
import { type KeyboardEvent, useEffect, useId, useRef } from 'react';
import type { Browsing } from '../model/browsing';
import type { ModuleNode } from '../model/moduleTree';
import { type TreeRow, treeMove, treeRows } from '../model/treeRows';
import { TreeItem } from './TreeItem';

interface Props {
  roots: readonly ModuleNode[];
  browsing: Browsing;
  /** Opens the way to the worst call of a module. */
  findWorst: (node: ModuleNode) => void;
}

/** The model's modules as a tree of which only the rows in sight are drawn. One tab stop; the keys are WAI-ARIA's. */
export function ModelTree({ roots, browsing, findWorst }: Props) {
  const id = useId();
  const frame = useRef<HTMLDivElement>(null);
  const rows = treeRows(roots, browsing.isOpen);
  const active = activeRow(rows, browsing);
  const virtual = useRows(frame, rows, active);
  useInSight(browsing.active, () => virtual.scrollToIndex(active, { align: 'auto' }));
  const press = (event: KeyboardEvent) => {
    const withModifier = event.ctrlKey || event.metaKey || event.altKey;
    if (!withModifier && obey(browsing, rows, active, event.key)) event.preventDefault();
  };
  return (
    <div
      ref={frame}
      role='tree'
      aria-label='Modules'
      tabIndex={0}
      className='jp-Torchtwin-tree'
      aria-activedescendant={`${id}${active}`}
      onKeyDown={press}
    >
      <div role='presentation' style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map(({ index, key, start }) => {
          const row = rows[index];
          if (!row) return null;
          const does = { pick: () => pick(browsing, row), fold: () => fold(browsing, row), findWorst };
          const at = { id: `${id}${index}`, index, start, measure: virtual.measureElement };
          const chosen = row.node.path === browsing.chosen;
          return <TreeItem key={key} {...at} {...does} row={row} active={index === active} chosen={chosen} />;
        })}
      </div>
    </div>
  );
}

const ROW = 24;

function useRows(frame: { current: HTMLDivElement | null }, rows: readonly TreeRow[], active: number) {
  return useVirtualizer<HTMLDivElement, Element>({
    count: rows.length,
    getScrollElement: () => frame.current,
    estimateSize: () => ROW,
    getItemKey: (index) => rows[index]?.node.path ?? index,
    overscan: 10,
    rangeExtractor: (range) => withRow(range, active),
  });
}

/** The rows in sight and the active one, to which assistive technology is pointed. */
function withRow(range: Range, row: number): number[] {
  const inSight = defaultRangeExtractor(range);
  if (row >= range.count || inSight.includes(row)) return inSight;
  return [...inSight, row].sort((a, b) => a - b);
}

/** Brings the active row into sight when another one becomes it; a person may scroll away from it then. */
function useInSight(active: string | null, scroll: () => void): void {
  // biome-ignore lint/correctness/useExhaustiveDependencies: as said
  useEffect(() => {
    if (active !== null) scroll();
  }, [active]);
}

/** Whether the key means something here. */
function obey(browsing: Browsing, rows: readonly TreeRow[], active: number, key: string): boolean {
  const row = rows[active];
  if (row && (key === 'Enter' || key === ' ')) {
    pick(browsing, row);
    return true;
  }
  const move = treeMove(rows, active, key);
  for (const { path, open } of move?.folds ?? []) browsing.fold(path, open);
  const next = move && rows[move.to];
  if (next) browsing.activate(next.node.path);
  return move !== null;
}

/** Shows a layer's calls, or puts them away again; folds what has none of its own. */
function pick(browsing: Browsing, row: TreeRow): void {
  if (row.node.layer) choose(browsing, row.node.path);
  else fold(browsing, row);
}

function choose(browsing: Browsing, path: string): void {
  browsing.activate(path);
  browsing.choose(browsing.chosen === path ? null : path);
}

function fold(browsing: Browsing, { node, open }: TreeRow): void {
  browsing.activate(node.path);
  browsing.fold(node.path, !open);
}

/** Where the keyboard is: on the first row where it was nowhere yet, or its row is gone. */
function activeRow(rows: readonly TreeRow[], { active }: Browsing): number {
  const at = rows.findIndex(({ node }) => node.path === active);
  return Math.max(at, 0);
}
