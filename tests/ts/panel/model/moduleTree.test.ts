import { describe, expect, test } from 'vitest';
import { emptyVerdicts, type VerdictTally } from '../../../../src/panel/model/callVerdict';
import { type LayerCalls, type ModuleNode, moduleTree } from '../../../../src/panel/model/moduleTree';

let oldest = 0;

function layer(name: string, tally: Partial<VerdictTally> = { identical: 1 }): LayerCalls {
  oldest += 1;
  return { name, first: oldest, tally: { ...emptyVerdicts(), ...tally }, inputs: [], outputs: [] };
}

const tree = (...names: string[]) => moduleTree(names.map((name) => layer(name)));

/** The labels, those of children in brackets behind them. */
function drawn(nodes: ModuleNode[]): string {
  return nodes.map(({ label, children }) => (children.length ? `${label} (${drawn(children)})` : label)).join(', ');
}

describe('the tree of the modules', () => {
  test('joins modules that hold nothing but the next', () => {
    expect(drawn(tree('model.encoder.layers[0].linear1', 'model.encoder.layers[1].linear1', 'model.head'))).toBe(
      'model (encoder.layers ([0].linear1, [1].linear1), head)',
    );
    expect(drawn(tree('model.encoder.layers[0].fc'))).toBe('model.encoder.layers[0].fc');
  });

  test('joins no module that is called itself', () => {
    expect(drawn(tree('model.attention', 'model.attention.out_proj'))).toBe('model.attention (out_proj)');
  });

  test('is one for each variable', () => {
    expect(drawn(tree('a.x', 'b', 'a.y'))).toBe('a (x, y), b');
  });

  test('is in the order of the calls, and the items of a list as they are counted', () => {
    expect(drawn(tree('m.late', 'm.early'))).toBe('m (late, early)');
    expect(drawn(tree('m.layers[10]', 'm.layers[9]', 'm.layers[-1]'))).toBe('m.layers ([-1], [9], [10])');
    expect(drawn(tree("getattr(m, '1')", "getattr(m, '0')"))).toBe('m (0, 1)');
    expect(drawn(tree('m[1]', 'm.fc', 'm[0]'))).toBe('m ([1], fc, [0])');
  });

  test('keeps an item and an attribute of one name apart', () => {
    const [model] = tree("m['a']", 'm.a');
    expect(model?.children.map(({ path }) => path)).toEqual(["m['a']", 'm.a']);
  });

  test('knows the words for each node, also of those that are joined', () => {
    const [model] = tree('model.encoder.layers[0].fc', 'model.encoder.layers[1].fc');
    expect(model?.path).toBe('model.encoder.layers');
    expect(model?.children.map(({ path }) => path)).toEqual([
      'model.encoder.layers[0].fc',
      'model.encoder.layers[1].fc',
    ]);
  });

  test('counts the calls below, verdict by verdict', () => {
    const nodes = moduleTree([
      layer('m.a', { identical: 3, unchecked: 2 }),
      layer('m.b.c', { differs: 1 }),
      layer('m.b.d', { identical: 4 }),
    ]);
    expect(nodes[0]).toMatchObject({ calls: 10, tally: { differs: 1, identical: 7, unchecked: 2, failed: 0 } });
    expect(nodes[0]?.children[1]).toMatchObject({ label: 'b', calls: 5, layer: null });
  });

  test('of calls of nothing is empty', () => {
    expect(tree()).toEqual([]);
  });
});
