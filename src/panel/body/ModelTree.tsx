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

const ROW = 24;

/** The model's modules as a tree of which only the rows in sight are drawn. One tab stop; the keys are WAI-ARIA's. */
export function ModelTree({ roots, browsing, findWorst }: Props) {
  const id = useId();
  const frame = useRef<HTMLDivElement>(null);
  const rows = treeRows(roots, browsing.isOpen);
  const active = activeRow(rows, browsing);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => frame.current,
    estimateSize: () => ROW,
    getItemKey: (index) => rows[index]?.node.path ?? index,
    overscan: 10,
    rangeExtractor: (range) => withRow(range, active),
  });
  const path = browsing.active;
  // biome-ignore lint/correctness/useExhaustiveDependencies: it is in sight when it becomes the active one, not always
  useEffect(() => {
    if (path !== null && active >= 0) virtual.scrollToIndex(active, { align: 'auto' });
  }, [path]);
  const press = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const row = rows[active];
    const isChoice = event.key === 'Enter' || event.key === ' ';
    const move = isChoice ? null : treeMove(rows, active, event.key);
    if (!row || (!isChoice && !move)) return;
    event.preventDefault();
    if (isChoice) pick(browsing, row);
    for (const fold of move?.folds ?? []) browsing.fold(fold.path, fold.open);
    const next = move && rows[move.to];
    if (next) browsing.activate(next.node.path);
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
          return (
            row && (
              <TreeItem
                key={key}
                id={`${id}${index}`}
                index={index}
                start={start}
                measure={virtual.measureElement}
                row={row}
                active={index === active}
                chosen={row.node.path === browsing.chosen}
                pick={() => pick(browsing, row)}
                fold={() => fold(browsing, row)}
                findWorst={findWorst}
              />
            )
          );
        })}
      </div>
    </div>
  );
}

/** Shows a layer's calls, or puts them away again; folds what has none of its own. */
function pick(browsing: Browsing, { node, open }: TreeRow): void {
  browsing.activate(node.path);
  if (node.layer) browsing.choose(browsing.chosen === node.path ? null : node.path);
  else browsing.fold(node.path, !open);
}

function fold(browsing: Browsing, { node, open }: TreeRow): void {
  browsing.activate(node.path);
  browsing.fold(node.path, !open);
}

/** Where the keyboard is: on the first row where it was nowhere yet, or its row is gone. */
function activeRow(rows: readonly TreeRow[], { active }: Browsing): number {
  return Math.max(
    0,
    rows.findIndex(({ node }) => node.path === active),
  );
}

/** The rows in sight and the active one, to which assistive technology is pointed. */
function withRow(range: Range, row: number): number[] {
  const inSight = defaultRangeExtractor(range);
  if (row >= range.count || inSight.includes(row)) return inSight;
  return [...inSight, row].sort((a, b) => a - b);
}
