"""A few elements of a large product, to be computed exactly: taken while the operands are there, judged many at once.

To judge one takes some forty operations on a few numbers each, which take hardly longer for fifty.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from torchtwin.kernel.proof.bounds import Arithmetic, arithmetic, exact_product
from torchtwin.kernel.proof.enclosure import Enclosure, enclosure
from torchtwin.kernel.proof.judge import Part, judge, queued_facts_of_each, usual_verdict
from torchtwin.kernel.proof.product import Product
from torchtwin.protocol import Verdict

BLOCK = 4, 8
"""Rows and columns of an excerpt."""
MAX_TAKEN = 2**15
"""Elements of operands that are taken for one, or two rows of each, if these are longer."""
_draw = random.Random(1)


class _Kind(NamedTuple):
    """Of excerpts that can be judged together."""

    operands: torch.Size
    results: torch.Size
    how: Arithmetic
    dtype: torch.dtype


@dataclass(frozen=True)
class Excerpt:
    """Elements that lie together, at a random place of the result. Copies: holds no tensor of the user's."""

    operands: Tensor
    """Rows of the left operand, and of the right one behind them; of shape (m + n, K)."""
    results: Tensor
    """The layer's elements, and behind them the bias where there is one; of shape (1 or 2, m, n)."""
    how: Arithmetic
    place: Part
    """Where they lie."""

    @property
    def kind(self) -> _Kind:
        return _Kind(self.operands.shape, self.results.shape, self.how, self.operands.dtype)

    def __len__(self) -> int:
        """Elements of the result that are judged."""
        return self.results[0].numel()

    @property
    def elements(self) -> int:
        """That it holds, those of the operands included."""
        return self.operands.numel() + self.results.numel()

    def can_be_judged_here(self) -> bool:
        """Whether this thread rounds as the call did: some settings are the processor's, for each thread its own."""
        return arithmetic(self.operands.dtype, self.operands.device) == self.how


def taken(product: Product, rows: Tensor, shape: torch.Size, how: Arithmetic) -> Excerpt:
    """Of a result `rows` of shape (M, N), of which the user sees `shape`."""
    most = max(MAX_TAKEN // max(product.terms, 1), 2)
    down = _somewhere(product.left.shape[0], min(BLOCK[0], max(most // 4, 1)))
    across = _somewhere(product.right.shape[0], min(BLOCK[1], max(most // 4 * 3, 1)))
    some = rows[down, across]
    bias = None if product.bias is None else product.bias.broadcast_to(product.shape)[down, across]
    return Excerpt(
        torch.cat([product.left[down], product.right[across]]),
        torch.stack([some] if bias is None else [some, bias]),
        how,
        Part(range(down.start, down.stop), range(across.start, across.stop), product.right.shape[0], shape),
    )


def _somewhere(size: int, count: int) -> slice:
    start = _draw.randrange(max(size - count, 0) + 1)
    return slice(start, min(start + count, size))


def judge_all(excerpts: Sequence[Excerpt]) -> list[Verdict]:
    """The verdicts on the excerpts' elements, in their order."""
    by_kind: defaultdict[_Kind, list[int]] = defaultdict(list)
    for number, excerpt in enumerate(excerpts):
        by_kind[excerpt.kind].append(number)
    found: dict[int, Verdict] = {}
    for numbers in by_kind.values():
        found.update(zip(numbers, _judged([excerpts[it] for it in numbers]), strict=True))
    return [found[number] for number in range(len(excerpts))]


def _judged(alike: Sequence[Excerpt]) -> list[Verdict]:
    computed = Computed.of(alike)
    if computed.within is None:
        return [judge(computed.layer, computed.formula, None)] * len(alike)
    facts = computed.facts().tolist()
    return [computed.usual(told) or computed.closer(number) for number, told in enumerate(facts)]


@dataclass(frozen=True)
class Computed:
    """What is known of excerpts of one kind; all tensors of shape (excerpts, m, n)."""

    excerpts: Sequence[Excerpt]
    layer: Tensor
    formula: Tensor
    within: Enclosure | None

    @staticmethod
    def of(excerpts: Sequence[Excerpt]) -> Computed:
        operands = torch.stack([it.operands for it in excerpts])
        results = torch.stack([it.results for it in excerpts], dim=1)
        rows = results.shape[2]
        left, right = operands[:, :rows], operands[:, rows:]
        layer, *bias = results
        formula = left @ right.mT
        within = enclosure(exact_product(left, right, *bias), excerpts[0].how)
        return Computed(excerpts, layer, formula + bias[0] if bias else formula, within)

    def facts(self) -> Tensor:
        """What `usual` reads of each; nothing is read here."""
        assert self.within is not None
        return queued_facts_of_each(self.layer, self.formula, self.within)

    def usual(self, facts: Sequence[float]) -> Verdict | None:
        """The verdict on one by its facts; null where it takes a look at the elements."""
        assert self.within is not None
        return usual_verdict(facts, self.layer[0].numel(), self.within.usual, self.within.largest)

    def closer(self, number: int) -> Verdict:
        """The verdict on one by its elements."""
        assert self.within is not None
        within = self.within.at(lambda tensor: tensor[number])
        return judge(self.layer[number], self.formula[number], within, part=self.excerpts[number].place)
