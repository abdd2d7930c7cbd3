import { describe, expect, test } from 'vitest';
import { joined, stepsOf } from '../../../../src/panel/model/modulePath';

const labels = (name: string) => stepsOf(name).map(({ label }) => label);

describe('the way to a module', () => {
  test.each<[string, string[]]>([
    ['fc', ['fc']],
    ['model.encoder.layers[3].linear1', ['model', 'encoder', 'layers', '[3]', 'linear1']],
    ['layers[0][-1]', ['layers', '[0]', '[-1]']],
    ['self.net[i]', ['self', 'net', '[i]']],
    ["model.blocks['a b'].fc", ['model', 'blocks', "['a b']", 'fc']],
    ['model.blocks["it\'s"].fc', ['model', 'blocks', '["it\'s"]', 'fc']],
    ["model.blocks['a].b'].fc", ['model', 'blocks', "['a].b']", 'fc']],
    ["model.blocks['it\\'s \"]\"'].fc", ['model', 'blocks', "['it\\'s \"]\"']", 'fc']],
    ["getattr(model, '0')", ['model', '0']],
    ["getattr(model.stages, 'a-b').fc[2]", ['model', 'stages', 'a-b', 'fc', '[2]']],
    ["getattr(getattr(model, '0'), 'class').fc", ['model', '0', 'class', 'fc']],
    ["getattr(model.by['x, (y'], \"it's, 'so'\")", ['model', 'by', "['x, (y']", "it's, 'so'"]],
    ['größe.schicht_2', ['größe', 'schicht_2']],
    ['F.linear', ['F', 'linear']],
    ['MultiheadAttention', ['MultiheadAttention']],
  ])('%s', (name, expected) => {
    expect(labels(name)).toEqual(expected);
  });

  test.each(['build(3)', '(lambda x: fc(x))', 'nn.Linear(3, 4)', 'a + b', 'model.', 'model[0', 'getattr(model)', ''])(
    'of other words is one step: "%s"',
    (name) => {
      expect(stepsOf(name)).toEqual([{ label: name, path: name }]);
    },
  );

  test('knows the words up to each step', () => {
    expect(stepsOf("getattr(net.a, '0').layers[3]").map(({ path }) => path)).toEqual([
      'net',
      'net.a',
      "getattr(net.a, '0')",
      "getattr(net.a, '0').layers",
      "getattr(net.a, '0').layers[3]",
    ]);
  });

  test('is joined as it is written', () => {
    expect(joined(['encoder', 'layers', '[3]', 'linear1'])).toBe('encoder.layers[3].linear1');
  });
});
