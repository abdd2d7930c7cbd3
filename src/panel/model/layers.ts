import { tallyOf } from './filter';
import type { Group } from './group';
import type { LayerCalls } from './moduleTree';

/** The groups of one name together: a layer may be called at several places. */
export function layersOf(groups: readonly Group[]): LayerCalls[] {
  const layers = new Map<string, Group[]>();
  for (const group of groups) {
    const others = layers.get(group.name);
    if (others) others.push(group);
    else layers.set(group.name, [group]);
  }
  return [...layers].map(([name, own]) => layer(name, own));
}

function layer(name: string, groups: readonly Group[]): LayerCalls {
  return {
    name,
    first: Math.min(...groups.map(({ oldestId }) => oldestId)),
    tally: tallyOf(groups),
    inputs: different(groups.flatMap(({ inputs }) => inputs)),
    outputs: different(groups.flatMap(outputs)),
  };
}

/** Those of a group are known by its newest call, which has none where it raised. */
function outputs(group: Group): number[][] {
  return group.newest.error ? [] : group.outputs;
}

function different(shapes: readonly (readonly number[])[]): (readonly number[])[] {
  return [...new Map(shapes.map((shape) => [shape.join(), shape])).values()];
}
