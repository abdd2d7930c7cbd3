import { describe, expect, test } from 'vitest';
import { CallLog } from '../../../../src/panel/model/callLog';
import { layersOf } from '../../../../src/panel/model/layers';
import type { Call } from '../../../../src/protocol';
import { callOf } from '../../fixtures';
import { call } from './build';

const FAILED = callOf('page-failed.json');

function layers(...calls: Call[]) {
  const log = new CallLog();
  for (const each of calls) log.put(each, each.id);
  return layersOf(log.groups());
}

/** A call at this line, whose input is of this shape. */
function shaped(id: number, line: number, rows: number): Call {
  const like = call(id);
  const { input, output } = like.operands;
  const operands = {
    ...like.operands,
    input: input && { ...input, shape: [rows, 2] },
    output: output && { ...output, shape: [rows, 3] },
  };
  return { ...like, site: { ...like.site, line }, operands };
}

describe('the calls of a layer', () => {
  test('are those of all places together', () => {
    const [fc, ...others] = layers(shaped(5, 1, 8), shaped(6, 2, 8), shaped(7, 1, 4));
    expect(others).toEqual([]);
    expect(fc).toMatchObject({ name: 'fc', first: 5, tally: { identical: 3 } });
    expect(fc?.inputs).toEqual([
      [8, 2],
      [4, 2],
    ]);
    expect(fc?.outputs).toEqual([
      [8, 3],
      [4, 3],
    ]);
  });

  test('that raised have no shapes', () => {
    expect(layers(FAILED)).toMatchObject([{ tally: { failed: 1 }, inputs: [], outputs: [] }]);
  });

  test('whose newest raised give no wrong shape', () => {
    const { name, expression, site } = call(1);
    const [fc] = layers(shaped(1, site.line ?? 0, 8), { ...FAILED, id: 2, name, expression, site });
    expect(fc).toMatchObject({ tally: { failed: 1, identical: 1 }, inputs: [[8, 2]] });
    expect(fc?.outputs).not.toContainEqual([8]);
  });
});
