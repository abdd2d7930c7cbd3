import type { Group } from './group';
import type { ModuleNode } from './moduleTree';
import { count } from './numbers';

/** A group with a call that raised or differs, and the oldest such call. */
export interface Failing {
  group: Group;
  call: number;
}

export function failingOf(groups: readonly Group[]): Failing[] {
  return groups.flatMap((group) => (group.firstFailing === null ? [] : [{ group, call: group.firstFailing }]));
}

/** The one after that of the call, and after the last the first again. Null where there is none. */
export function nextFailing(failing: readonly Failing[], after: number | null): Failing | null {
  return failing[(placeOf(failing, after) + 1) % failing.length] ?? null;
}

/** Which of them it is, and whether there are others alike: `Difference 2 of 5, the oldest of 3 here`. */
export function placeText(failing: readonly Failing[], call: number): string {
  const at = placeOf(failing, call);
  const group = failing[at]?.group;
  if (!group) return 'Difference';
  const here = group.tally.failed + group.tally.differs;
  const place = `Difference ${count(at + 1)} of ${count(failing.length)}`;
  return here > 1 ? `${place}, the oldest of ${count(here)} here` : place;
}

function placeOf(failing: readonly Failing[], call: number | null): number {
  return failing.findIndex((each) => each.call === call);
}

/** The groups as their layers stand in the tree. */
export function inTreeOrder(groups: readonly Group[], roots: readonly ModuleNode[]): Group[] {
  const byName = new Map<string, Group[]>();
  for (const group of groups) byName.set(group.name, [...(byName.get(group.name) ?? []), group]);
  return names(roots).flatMap((name) => byName.get(name) ?? []);
}

/** Of the layers in these trees, from top to bottom. */
function names(nodes: readonly ModuleNode[]): string[] {
  return nodes.flatMap(({ layer, children }) => [...(layer ? [layer.name] : []), ...names(children)]);
}
