import type { ModuleNode } from './moduleTree';

/** A node as a line of the tree, for those whose parents are all open. */
export interface TreeRow {
  node: ModuleNode;
  /** From 1 on. */
  level: number;
  /** Its place among its siblings, from 1 on, and how many these are. */
  position: number;
  siblings: number;
  /** Null where there is nothing to unfold. */
  open: boolean | null;
}

export function treeRows(roots: readonly ModuleNode[], isOpen: (path: string, level: number) => boolean): TreeRow[] {
  const rows: TreeRow[] = [];
  const add = (nodes: readonly ModuleNode[], level: number) => {
    for (const [index, node] of nodes.entries()) {
      const open = node.children.length > 0 ? isOpen(node.path, level) : null;
      rows.push({ node, level, position: index + 1, siblings: nodes.length, open });
      if (open) add(node.children, level + 1);
    }
  };
  add(roots, 1);
  return rows;
}

/** The nodes around the one with this path, outermost first, and it itself. Empty where it isn't in the tree. */
export function wayTo(roots: readonly ModuleNode[], path: string): ModuleNode[] {
  for (const node of roots) {
    if (node.path === path) return [node];
    const below = wayTo(node.children, path);
    if (below.length) return [node, ...below];
  }
  return [];
}

/** What a key does in a tree: to which row it goes, and what it folds or unfolds. */
export interface TreeMove {
  to: number;
  folds: { path: string; open: boolean }[];
}

/** The keys of the tree pattern of WAI-ARIA; null for those that do nothing here. */
export function treeMove(rows: readonly TreeRow[], at: number, key: string): TreeMove | null {
  const row = rows[at];
  if (!row) return null;
  const fold = (open: boolean) => ({ to: at, folds: [{ path: row.node.path, open }] });
  switch (key) {
    case 'ArrowDown':
      return to(Math.min(at + 1, rows.length - 1));
    case 'ArrowUp':
      return to(Math.max(at - 1, 0));
    case 'Home':
      return to(0);
    case 'End':
      return to(rows.length - 1);
    case 'ArrowRight':
      return row.open === false ? fold(true) : to(row.open ? at + 1 : at);
    case 'ArrowLeft':
      return row.open ? fold(false) : to(parentOf(rows, at));
    case '*':
      return { to: at, folds: closedSiblings(rows, at) };
    default:
      return key.length === 1 && key !== ' ' ? to(nextLike(rows, at, key)) : null;
  }
}

function to(row: number): TreeMove {
  return { to: row, folds: [] };
}

function parentOf(rows: readonly TreeRow[], at: number): number {
  const level = rows[at]?.level ?? 1;
  let above = at - 1;
  while (above >= 0 && (rows[above]?.level ?? 0) >= level) above -= 1;
  return above < 0 ? at : above;
}

function closedSiblings(rows: readonly TreeRow[], at: number): TreeMove['folds'] {
  const parent = parentOf(rows, at);
  const level = rows[at]?.level;
  const inside = parent === at ? rows : rows.slice(parent + 1);
  const end = parent === at ? -1 : inside.findIndex((row) => row.level < (level ?? 1));
  const siblings = (end < 0 ? inside : inside.slice(0, end)).filter((row) => row.level === level && row.open === false);
  return siblings.map(({ node }) => ({ path: node.path, open: true }));
}

/** The next row, beyond the end again from the first, whose label begins with the letter. */
function nextLike(rows: readonly TreeRow[], at: number, letter: string): number {
  const begins = ({ node }: TreeRow) =>
    node.label
      .replace(/^\[['"]?/, '')
      .toLowerCase()
      .startsWith(letter.toLowerCase());
  const after = rows.findIndex((row, index) => index > at && begins(row));
  const found = after < 0 ? rows.findIndex(begins) : after;
  return found < 0 ? at : found;
}
