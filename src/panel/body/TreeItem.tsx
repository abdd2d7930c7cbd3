import type { CSSProperties, MouseEvent } from 'react';
import { MARK, TONE, worstOf } from '../model/callVerdict';
import type { ModuleNode } from '../model/moduleTree';
import { count } from '../model/numbers';
import { shapesText } from '../model/shapes';
import { callsText, partText, tallyText, verdictWord } from '../model/tallyText';
import type { TreeRow } from '../model/treeRows';
import { Formula } from './Code';
import { Chevron } from './Section';

interface Props {
  id: string;
  index: number;
  /** How far down it stands, in pixels. */
  start: number;
  measure: (element: Element | null) => void;
  row: TreeRow;
  active: boolean;
  chosen: boolean;
  pick: () => void;
  fold: () => void;
  findWorst: (node: ModuleNode) => void;
}

/** A module or layer in a line: its name, the shapes in and out, its calls, and the worst verdict on them. */
export function TreeItem({ id, index, start, measure, row, active, chosen, pick, fold, findWorst }: Props) {
  const { node, level, position, siblings, open } = row;
  const only = (act: () => void) => (event: MouseEvent) => {
    event.stopPropagation();
    act();
  };
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the tree takes the keys
    // biome-ignore lint/a11y/useFocusableInteractive: the tree has the focus, and points here
    <div
      ref={measure}
      id={id}
      data-index={index}
      role='treeitem'
      aria-label={spoken(node)}
      aria-level={level}
      aria-posinset={position}
      aria-setsize={siblings}
      aria-expanded={open ?? undefined}
      aria-selected={chosen}
      className={`jp-Torchtwin-treeItem${active ? ' jp-mod-active' : ''}`}
      style={placed(start, level)}
      title={node.path}
      onClick={pick}
    >
      <span className='jp-Torchtwin-treeEnd'>
        <Called node={node} /> <Worst node={node} find={only(() => findWorst(node))} />
      </span>
      <Twisty open={open} fold={only(fold)} />
      <span className='jp-Torchtwin-treeName'>
        <Formula text={node.label} />
      </span>{' '}
      <Shapes node={node} />
    </div>
  );
}

/**
 * Of a layer as in the list, where only several are counted; with others below it, how many there are in all. Where only
 * some were checked, how many: the sign beside it is theirs alone.
 */
function Called({ node: { layer, children, calls, tally } }: { node: ModuleNode }) {
  const part = partText(tally);
  const all = !layer || children.length > 0 ? callsText(calls) : calls > 1 && `× ${count(calls)}`;
  return (
    <span className='jp-Torchtwin-quiet'>
      {part ?? all}
      {part && <span className='jp-Torchtwin-word'> checked</span>}
    </span>
  );
}

function placed(start: number, level: number): CSSProperties {
  return { transform: `translateY(${start}px)`, ['--jp-Torchtwin-level' as string]: level - 1 };
}

function spoken({ label, layer, tally, calls }: ModuleNode): string {
  const shapes = layer ? [shapesText(layer.inputs), shapesText(layer.outputs)].filter(Boolean).join(' to ') : '';
  const part = partText(tally);
  const told = part ? [`${part} checked`, tallyText({ ...tally, unchecked: 0 })] : [callsText(calls), tallyText(tally)];
  return [label, shapes, ...told].filter(Boolean).join(', ');
}

/** Unfolds by the mouse; by the keys, the tree does. */
function Twisty({ open, fold }: { open: boolean | null; fold: (event: MouseEvent) => void }) {
  if (open === null) return <span className='jp-Torchtwin-twisty' aria-hidden='true' />;
  return (
    <span className={`jp-Torchtwin-twisty${open ? ' jp-mod-open' : ''}`} aria-hidden='true' onClick={fold}>
      <Chevron />
    </span>
  );
}

/** `[8, 64, 256] → [8, 64, 1024]`. */
function Shapes({ node: { layer } }: { node: ModuleNode }) {
  const [input, output] = layer ? [shapesText(layer.inputs), shapesText(layer.outputs)] : [];
  if (!input && !output) return null;
  return (
    <code className='jp-Torchtwin-treeShapes jp-Torchtwin-shape'>
      <span>{input ?? '?'}</span> <span>→ {output ?? '?'}</span>
    </code>
  );
}

interface WorstProps {
  node: ModuleNode;
  find: (event: MouseEvent) => void;
}

/** The worst verdict below; where something is wrong it is a link to it. By the keys, "Next difference" goes there. */
function Worst({ node: { tally }, find }: WorstProps) {
  const worst = worstOf(tally);
  if (!worst) return null;
  const bad = worst === 'failed' || worst === 'differs';
  return (
    <span
      aria-hidden='true'
      className={`jp-Torchtwin-worst jp-Torchtwin-${TONE[worst]}${bad ? ' jp-mod-link' : ''}`}
      title={bad ? `${tallyText(tally)}: go there` : tallyText(tally)}
      onClick={bad ? find : undefined}
    >
      {MARK[worst]}
      {bad && ` ${count(tally[worst])} ${verdictWord(worst, tally[worst])}`}
    </span>
  );
}
