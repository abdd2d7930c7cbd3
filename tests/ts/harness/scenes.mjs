// What look.mjs draws: pages as a kernel sends them, what is done to the panel, and how it is seen.

import { encoder } from './encoder.mjs';

const exercise = ['page-exercise'];
const mixed = ['page-exercise', 'page-rounding', 'page-different', 'page-nonfinite', 'page-long-names', 'page-failed'];
const matches = ['page-matches'];
const open = async (page) => {
  await page.locator('.jp-Torchtwin-callName button').first().waitFor();
  for (const button of await page.locator('.jp-Torchtwin-callName button').all()) await button.click();
};
const openAndChoose = async (page) => {
  await open(page);
  await page.locator('.jp-Torchtwin-cell').nth(1).click();
};
const gradient = async (page) => {
  await open(page);
  await page.getByRole('button', { name: 'weight grad' }).click();
  await page.locator('.jp-Torchtwin-cell').nth(3).click();
};
const ask = async (page) => {
  await open(page);
  await page.getByRole('button', { name: 'Show', exact: true }).click();
};

const largeGradient = async (page) => {
  await open(page);
  await page.getByRole('button', { name: 'weight grad' }).click();
};
const refuse = async (page) => {
  await page.evaluate(() => window.host.focus({ ...window.view, busy: true }));
  await page.getByRole('button', { name: 'Clear' }).click();
};

/** The calls of these pages as this makes them. */
const calls = (change) => (event) => (event.type === 'call' ? { ...event, ...change(event) } : event);
/** The tensor tables of these pages with these in them. */
const tensors = (shapes) => (event) => {
  if (event.type !== 'tensors') return event;
  const added = Object.entries(shapes).map(([name, shape]) => ({ ...event.rows[3], name, shape }));
  return { ...event, rows: [...event.rows, ...added] };
};
const video = tensors({ video_features_batch: [2, 16, 3, 224, 224] });
const seven = tensors({ seven_dimensional: [2, 16, 3, 224, 224, 128, 1024], x7: [1, 2, 3, 4, 5, 6, 7] });
const again = calls(({ gradients }) => {
  const note = (name) => ({ ...gradients[name], note: `\`fc.${name}.grad\` holds 2 backward passes` });
  return { gradients: { ...gradients, weight: note('weight'), bias: note('bias') } };
});
const list = calls(({ operands, error }) => ({
  expression: `[1., 2.] @ ${operands.weight_t.name} + ${operands.bias.name}`,
  operands: { ...operands, input: null },
  error: {
    ...error,
    type: 'TypeError',
    explanation: '`[1., 2.]` is a list, not a tensor.',
    suggestions: [],
    clash: [],
  },
}));
const partly = calls(({ forward }) => ({ forward: { ...forward, outside: [2, 7] } }));
const UNCHECKED = { kind: 'unchecked', message: 'not checked: large', reason: 'large: 134,217,728 multiply-adds' };
const unchecked = calls(() => ({
  forward: UNCHECKED,
  gradients: { weight: UNCHECKED, bias: UNCHECKED, input: UNCHECKED },
}));

const UNSEEN = [
  { kind: 'fused', where: '`encoder.layers[0]`', calls: 4, message: '4 calls ran in torch’s fused fast path.' },
  { kind: 'compiled', where: '`compiled_model`', calls: null, message: 'Layers of `compiled_model` run compiled.' },
];
const states = (change) => (event) => (event.type === 'state' ? { ...event, ...change } : event);
const overBudget = states({ cost: { spent: 0.62, running: 12.4 }, unseen: UNSEEN });
const unfoldNote = (page) => page.locator('.jp-Torchtwin-note summary').click();

/** As if the calls of these pages were the first of a loop, in which now and then one is checked. */
const loop = (events) => {
  const whole = events.filter(({ type }) => type === 'call');
  const rounds = Array.from({ length: 400 }, (_, round) => round + 1);
  const reason = 'the budget of 3 % of the running time is used up';
  const size = whole.length;
  const run = (first, round) => ({
    type: 'run',
    first,
    like: whole.map((_, at) => at + 1),
    shapes: [[8, 2], ...whole.map(({ operands }) => operands.input.shape)],
    shape: whole.map((_, at) => (round % 7 ? at + 1 : 0)),
    time: 1_700_000_000,
    seconds: size / 1000,
    reason,
  });
  const again = rounds.flatMap((round) => {
    const first = round * size + 1;
    if (round % 40) return [run(first, round)];
    return whole.map((call, at) => ({ ...call, id: first + at, time: 1_700_000_000 }));
  });
  return [
    ...whole.map((call, at) => ({ ...call, id: at + 1 })),
    ...again,
    ...events.filter(({ type }) => type !== 'call'),
  ];
};
const layers = ['page-exercise', 'page-rounding', 'page-long-names', 'page-before-backward'];
const window375 = { width: 375, height: 808, framed: true };
const window250 = { width: 250, height: 808, framed: true };
const unfold = async (page) => {
  await page.locator('.jp-mod-group h3 button').last().click();
  await page.locator('.jp-mod-among h3 button').nth(2).click();
};
const middle = async (page) => {
  await unfold(page);
  await page.locator('.jp-Torchtwin-content').evaluate((element) => element.scrollTo(0, 3000));
  await page.waitForTimeout(200);
};

/** Four steps of an encoder of twelve layers; in one call something is wrong. */
const steps = encoder(4, { cost: { spent: 0.26, running: 12.4 } });
const asModel = (page) => page.getByRole('button', { name: 'Model', exact: true }).click();
const unfoldLayer = async (page) => {
  await asModel(page);
  for (const path of ['layers[7]', 'layers[7].self_attn']) {
    const row = page.getByTitle(`model.encoder.${path}`, { exact: true });
    await row.locator('.jp-Torchtwin-twisty').click();
  }
};
const chooseLayer = async (page) => {
  await unfoldLayer(page);
  await page.getByTitle('model.encoder.layers[7].linear1', { exact: true }).click();
};
const nextDifference = async (page) => {
  await asModel(page);
  await page.getByRole('button', { name: 'Next difference' }).click();
};
const chooseLong = async (page) => {
  await asModel(page);
  await page.getByRole('treeitem').last().click();
};
const chooseVerdict = (word) => (page) => page.getByRole('button', { name: new RegExp(`^✕? ?1 ${word}`) }).click();
const lookFor = (text) => async (page) => {
  await page.getByRole('searchbox').fill(text);
};
const model = { pages: ['page-exercise'], loop: steps, width: 375, height: 808, framed: true };

const evaluate = (text) => async (page) => {
  await page.getByLabel('Evaluate in this frame').fill(text);
  await page.keyboard.press('Enter');
  await page.waitForTimeout(50);
};
const giveUp = async (page) => {
  await evaluate('train(epochs=100)')(page);
  await page.getByRole('button', { name: 'Give up' }).click();
};
const late = (page) => page.waitForTimeout(1200);
const inFrame = { pages: exercise, paused: { inspect: 'forward', evaluate: 'tensor' }, view: { busy: true } };
const of = (inspect, answer) => ({ ...inFrame, paused: { inspect, evaluate: answer } });

export const SCENES = [
  { name: 'paused', ...inFrame, act: evaluate('hidden @ w.T') },
  { name: 'paused-dark', ...inFrame, act: evaluate('hidden @ w.T'), dark: true },
  { name: 'paused-narrow', ...inFrame, act: evaluate('hidden @ w.T'), width: 240 },
  { name: 'paused-wide', ...inFrame, act: evaluate('hidden @ w.T'), width: 560 },
  { name: 'paused-zoom', ...inFrame, act: evaluate('hidden @ w.T'), width: 250, height: 350, framed: true, zoom: 2 },
  { name: 'paused-failing', ...of('failing', 'syntax-error'), act: evaluate('hidden @@ w') },
  {
    name: 'paused-failing-narrow',
    ...of('failing', 'syntax-error'),
    act: evaluate('hidden @@ w'),
    width: 240,
    dark: true,
  },
  { name: 'paused-several', ...of('several', 'text'), act: evaluate('x.add_(1) is x') },
  { name: 'paused-several-narrow', ...of('several', 'text'), act: evaluate('x.add_(1) is x'), width: 240 },
  { name: 'paused-nothing', ...of('nothing'), act: giveUp },
  { name: 'paused-unknown', ...of('unknown'), act: evaluate('x') },
  { name: 'paused-refused', ...of('refused') },
  { name: 'paused-late', pages: exercise, paused: {}, act: late },
  { name: 'model', ...model, act: unfoldLayer },
  { name: 'model-dark', ...model, act: chooseLayer, dark: true },
  // With colours of the system's own, as people with low vision choose them.
  { name: 'model-forced', ...model, act: chooseLayer, forced: true },
  { name: 'exercise-forced', pages: exercise, act: openAndChoose, forced: true },
  { name: 'model-narrow', ...model, act: unfoldLayer, width: 250 },
  { name: 'model-zoom', ...model, act: unfoldLayer, width: 250, height: 350, zoom: 2 },
  { name: 'model-wide', ...model, act: chooseLayer, width: 560 },
  { name: 'model-difference', ...model, act: nextDifference },
  { name: 'model-difference-narrow', ...model, act: nextDifference, width: 250, dark: true },
  { name: 'model-long-names', pages: mixed, act: chooseLong, ...window250 },
  { name: 'list-found', ...model, act: chooseVerdict('differs'), width: 250, dark: true },
  { name: 'list-failed', pages: mixed, act: chooseVerdict('failed') },
  { name: 'search-nothing', ...model, act: lookFor('linear9') },
  { name: 'cost', pages: exercise, change: overBudget, act: unfoldNote },
  { name: 'cost-dark-narrow', pages: exercise, change: overBudget, act: unfoldNote, dark: true, width: 250 },
  { name: 'loop', pages: layers, loop },
  { name: 'loop-dark', pages: layers, loop, dark: true },
  { name: 'loop-narrow', pages: layers, loop, width: 250 },
  { name: 'loop-differs', pages: [...layers, 'page-different'], loop, act: unfold, ...window375 },
  { name: 'loop-differs-dark', pages: [...layers, 'page-different'], loop, act: unfold, dark: true, ...window250 },
  { name: 'loop-framed', pages: layers, loop, act: middle, ...window375 },
  { name: 'loop-framed-zoom', pages: layers, loop, act: middle, width: 250, height: 350, framed: true, zoom: 2 },
  { name: 'exercise', pages: exercise, act: openAndChoose },
  { name: 'exercise-dark', pages: exercise, act: openAndChoose, dark: true },
  { name: 'exercise-340', pages: exercise, act: openAndChoose, width: 340 },
  { name: 'exercise-narrow', pages: exercise, act: openAndChoose, width: 240 },
  { name: 'exercise-zoom', pages: exercise, act: openAndChoose, zoom: 2 },
  { name: 'gradient', pages: exercise, act: gradient },
  { name: 'mixed', pages: mixed },
  { name: 'mixed-dark', pages: mixed, dark: true },
  { name: 'mixed-narrow', pages: mixed, width: 240 },
  { name: 'mixed-open', pages: mixed, act: open },
  { name: 'mixed-open-narrow', pages: mixed, act: open, width: 240 },
  { name: 'tensors-340', pages: exercise, change: video, width: 340 },
  { name: 'tensors-wide', pages: exercise, change: video, width: 540 },
  { name: 'tensors-seven-340', pages: exercise, change: seven, width: 340 },
  { name: 'tensors-seven-narrow', pages: exercise, change: seven, width: 240 },
  { name: 'tensors-seven-wide', pages: exercise, change: seven, width: 540 },
  { name: 'notice', pages: exercise, act: refuse },
  { name: 'notice-dark-narrow', pages: exercise, act: refuse, dark: true, width: 240 },
  { name: 'autocast', pages: ['page-autocast'], act: openAndChoose },
  { name: 'rounding', pages: ['page-rounding'], act: openAndChoose },
  { name: 'different', pages: ['page-different'], act: openAndChoose },
  { name: 'different-partly', pages: ['page-different'], change: partly, act: openAndChoose },
  { name: 'different-dark', pages: ['page-different'], act: openAndChoose, dark: true },
  { name: 'nonfinite', pages: ['page-nonfinite'], act: openAndChoose },
  { name: 'long-names', pages: ['page-long-names'], act: ask },
  { name: 'long-names-narrow', pages: ['page-long-names'], act: ask, width: 240 },
  { name: 'unchecked', pages: ['page-long-names'], change: unchecked, act: ask },
  { name: 'large-gradient', pages: ['page-long-names'], act: largeGradient },
  // As in a JupyterLab of 1280 by 860 pixels, and at 200 %: the calls are in sight below the tensors.
  { name: 'framed', pages: matches, width: 375, height: 808, framed: true },
  { name: 'framed-narrow', pages: matches, width: 250, height: 808, framed: true, dark: true },
  { name: 'framed-zoom', pages: matches, width: 250, height: 350, framed: true, zoom: 2 },
  { name: 'framed-failed', pages: [...matches, 'page-failed'], width: 375, height: 808, framed: true },
  { name: 'again', pages: exercise, change: again, act: gradient },
  { name: 'again-narrow', pages: exercise, change: again, act: gradient, width: 250 },
  { name: 'again-dark', pages: exercise, change: again, act: gradient, dark: true },
  { name: 'list', pages: ['page-failed'], change: list },
  { name: 'probe', pages: ['page-probe'], act: open },
  { name: 'probe-narrow', pages: ['page-probe'], act: open, width: 250, dark: true },
  { name: 'matches', pages: matches },
  { name: 'matches-dark', pages: matches, dark: true },
  { name: 'matches-narrow', pages: matches, width: 250 },
  { name: 'matches-open', pages: matches, act: open },
  { name: 'matches-open-narrow', pages: matches, act: open, width: 250, dark: true },
  { name: 'matches-zoom', pages: matches, act: open, zoom: 2 },
  { name: 'failed', pages: ['page-failed'] },
  { name: 'internal-error', pages: ['page-internal-error'], act: (page) => page.locator('summary').click() },
  { name: 'empty', pages: ['page-cleared'] },
  { name: 'off', pages: ['page-off'] },
  { name: 'no-torch', pages: ['page-no-torch'] },
  { name: 'no-kernel', pages: [], view: { id: null, name: '', kernelName: '', status: { type: 'none' } } },
  { name: 'missing', pages: [], view: { status: { type: 'missing', install: '%pip install torchtwin' } } },
  { name: 'not-loaded', pages: [], view: { status: { type: 'not-loaded' } }, dark: true },
  { name: 'other-language', pages: [], view: { kernelName: 'R', status: { type: 'other-language', language: 'R' } } },
  {
    name: 'failed-host',
    pages: [],
    view: { status: { type: 'failed', message: 'ModuleNotFoundError: No module named x' } },
  },
];
