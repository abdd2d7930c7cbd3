import { CALL_VERDICTS, callsOf, emptyVerdicts, type VerdictTally } from './callVerdict';
import { joined, type Step, stepsOf } from './modulePath';

/** What the tree knows of the calls that go by one name. */
export interface LayerCalls {
  name: string;
  /** Id of the oldest call. */
  first: number;
  tally: VerdictTally;
  /** Shapes that occur, of calls that did not raise. */
  inputs: readonly (readonly number[])[];
  outputs: readonly (readonly number[])[];
}

/** A module, or several in a row of which each holds nothing but the next. */
export interface ModuleNode {
  /** The user's words for it; no other node has them. */
  path: string;
  /** Its own part of them: `encoder.layers`, `[3]`. */
  label: string;
  children: ModuleNode[];
  /** Calls of this very name. */
  layer: LayerCalls | null;
  /** Of the calls by this name and below. */
  tally: VerdictTally;
  calls: number;
}

interface Branch {
  step: Step;
  branches: Map<string, Branch>;
  layer: LayerCalls | null;
  first: number;
}

/** The trees of the modules that were called, one for each variable that leads to some, in the order of their calls. */
export function moduleTree(layers: Iterable<LayerCalls>): ModuleNode[] {
  const root = branch({ label: '', path: '' });
  for (const layer of layers) place(root, layer);
  return inOrder(root).map(node);
}

function branch(step: Step): Branch {
  return { step, branches: new Map(), layer: null, first: Number.POSITIVE_INFINITY };
}

function place(root: Branch, layer: LayerCalls): void {
  let at = root;
  for (const step of stepsOf(layer.name)) {
    const next = at.branches.get(step.path) ?? branch(step);
    at.branches.set(step.path, next);
    next.first = Math.min(next.first, layer.first);
    at = next;
  }
  at.layer = layer;
}

/** In the order of their first calls; the items of a list as they are counted. */
function inOrder({ branches }: Branch): Branch[] {
  const found = [...branches.values()];
  const places = found.map(({ step }) => placeIn(step.label));
  if (places.some(Number.isNaN)) return found.sort((a, b) => a.first - b.first);
  return found.sort((a, b) => placeIn(a.step.label) - placeIn(b.step.label));
}

function placeIn(label: string): number {
  return Number(/^\[?(-?\d+)\]?$/.exec(label)?.[1] ?? Number.NaN);
}

function node(top: Branch): ModuleNode {
  const labels = [top.step.label];
  let last = top;
  for (let only = onlyBranch(last); only; only = onlyBranch(last)) {
    last = only;
    labels.push(last.step.label);
  }
  const children = inOrder(last).map(node);
  const tally = sum([...(last.layer ? [last.layer.tally] : []), ...children.map((child) => child.tally)]);
  return { path: last.step.path, label: joined(labels), children, layer: last.layer, tally, calls: callsOf(tally) };
}

function onlyBranch({ branches, layer }: Branch): Branch | null {
  const [only, another] = branches.values();
  return layer || !only || another ? null : only;
}

function sum(tallies: VerdictTally[]): VerdictTally {
  const total = emptyVerdicts();
  for (const tally of tallies) for (const verdict of CALL_VERDICTS) total[verdict] += tally[verdict];
  return total;
}
