import type { Locator } from '@playwright/test';

import { expect, type Lab, notebook, test } from './lab';

/** An encoder whose calls go through a kernel of its author's, which can be told to leave one layer's bias out. */
const SETUP = `import torch, torchtwin

class Layer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear1 = torch.nn.Linear(8, 16)
        self.linear2 = torch.nn.Linear(16, 8)

    def forward(self, x):
        return x + self.linear2(torch.relu(self.linear1(x)))

class Encoder(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.ModuleList(Layer() for _ in range(3))

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x

encoder = Encoder()
torchtwin.unwatch()
builtin, broken = torch.nn.functional.linear, None

def fused(input, weight, bias=None):
    return builtin(input, weight, None if weight is broken else bias)

torch.nn.functional.linear = fused`;

const STEPS = `torchtwin.watch(mode='every')
for step in range(3):
    broken = encoder.layers[1].linear2.weight if step == 2 else None
    encoder(torch.ones(4, 8)).sum().backward()`;

/** Two steps more, of which nothing is checked. */
const MORE = `torchtwin.watch(mode='shapes')
for step in range(2):
    encoder(torch.ones(4, 8)).sum().backward()`;

async function openModel(lab: Lab, cells: string[]): Promise<void> {
  await lab.open('encoder.ipynb', notebook([SETUP, ...cells]));
  await lab.runAll();
  await expect(lab.counts).toContainText(`${18 + 12 * (cells.length - 1)} calls`);
  await lab.panel.getByRole('button', { name: 'Model', exact: true }).click();
}

/** The row of a module, by the user's words for it. */
const row = (lab: Lab, path: string): Locator =>
  lab.panel.getByRole('treeitem').and(lab.page.getByTitle(path, { exact: true }));

const search = (lab: Lab) => lab.panel.getByRole('searchbox', { name: /^Search calls/ });
const verdict = (lab: Lab, name: RegExp) =>
  lab.panel.getByRole('group', { name: 'Verdicts' }).getByRole('button', { name });

const AGREE = String.raw`\d+ (identical|rounding)(, \d+ identical)?`;

test('a model is a tree of its modules with shapes, counts and the worst verdict below each', async ({ lab }) => {
  await openModel(lab, [STEPS]);
  const named = (path: string, words: string) =>
    expect(row(lab, path)).toHaveAccessibleName(new RegExp(`^${words}, ${AGREE}$`));
  await named('encoder.layers', 'encoder.layers, 18 calls, 1 differs');
  await named('encoder.layers[0]', String.raw`\[0\], 6 calls`);
  await named('encoder.layers[1]', String.raw`\[1\], 6 calls, 1 differs`);
  await named('encoder.layers[1].linear1', String.raw`linear1, \[4, 8\] to \[4, 16\], 3 calls`);
  await named('encoder.layers[1].linear2', String.raw`linear2, \[4, 16\] to \[4, 8\], 3 calls, 1 differs`);
  await expect(lab.panel.getByRole('treeitem')).toHaveCount(10);

  await row(lab, 'encoder.layers[1].linear1').click();
  await expect(lab.row(3, 'encoder.layers[1].linear1')).toBeVisible();
  await expect(lab.panel.getByRole('article')).toHaveCount(1);
});

test('where calls were not checked, the tree says how many were', async ({ lab }) => {
  await openModel(lab, [STEPS, MORE]);
  await expect(row(lab, 'encoder.layers[0].linear1')).toHaveAccessibleName(
    new RegExp(String.raw`^linear1, \[4, 8\] to \[4, 16\], 3 of 5 checked, ${AGREE}$`),
  );
  await expect(row(lab, 'encoder.layers[0].linear1')).toContainText('3 of 5 checked');
  await expect(row(lab, 'encoder.layers')).toContainText('18 of 30 checked');
});

test('what is wrong is one click away from any module around it', async ({ lab }) => {
  await openModel(lab, [STEPS]);
  await row(lab, 'encoder.layers').getByText('1 differs').click();
  const call = lab.call(16, 'encoder.layers[1].linear2');
  await expect(call).toBeInViewport();
  await expect(call).toContainText('output lacks the bias');
  await expect(row(lab, 'encoder.layers[1].linear2')).toHaveAttribute('aria-selected', 'true');
  await expect(lab.panel.getByText('Difference 1 of 1')).toBeVisible();

  await lab.panel.getByRole('button', { name: 'Calls of this layer' }).click();
  await expect(lab.row(3, 'encoder.layers[1].linear2')).toBeVisible();
});

test('the tree shows the layers that have the name that is looked for', async ({ lab }) => {
  await openModel(lab, [STEPS]);
  await search(lab).fill('layers[2].lin');
  await expect(lab.panel.getByRole('treeitem')).toHaveCount(3);
  await expect(row(lab, 'encoder.layers[2].linear1')).toBeVisible();
  await search(lab).fill('linear9');
  await expect(lab.panel.getByText('No calls with “linear9” in name, expression or place.')).toBeVisible();
  await search(lab).press('Escape');
  await expect(lab.panel.getByRole('treeitem')).toHaveCount(10);
});

test('the tree shows the layers that have the verdict that is asked for', async ({ lab }) => {
  await openModel(lab, [STEPS, MORE]);
  await verdict(lab, /1 differs$/).click();
  const only = lab.panel.getByRole('treeitem');
  await expect(only).toHaveCount(1);
  await expect(only).toHaveAccessibleName('encoder.layers[1].linear2, [4, 16] to [4, 8], 1 call, 1 differs');
  await verdict(lab, /1 differs$/).click();
  await verdict(lab, /12 unchecked$/).click();
  await expect(row(lab, 'encoder.layers')).toHaveAccessibleName('encoder.layers, 12 calls, 12 unchecked');
});
