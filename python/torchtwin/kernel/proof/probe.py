"""A product too large to compute twice: a random +-1 probe over all rows as an alarm, and a few rows exactly.

For y = x w^T + b and a vector v of random signs, y v is x (w^T v) + b v: O(MK + KN + MN) in place of O(MKN) (Freivalds,
Probabilistic machines can use less running time, IFIP 1977). Rounding moves y v by about sqrt(K) u S in row i, with
S^2 = sum_j (|x_i|^2 |w_j|^2 + b_ij^2); beyond four times that the row is computed exactly, and only exact rows are ever
called different.

What a silent probe proves of errors that are larger than what rounding can do to one element: the rounding of a row's
other elements, summed with signs that are independent of it, is as likely to go one way as the other. So an element
that is wrong by more than the alarm's size trips one probe with a probability of at least 1/2, whatever the rounding,
and one of R probes with at least 1 - 2^-R.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import msgspec
import torch
from torch import Tensor

from torchtwin.kernel.proof.bounds import UNIT_ROUNDOFF, Arithmetic, exact_product, usual_bound
from torchtwin.kernel.proof.enclosure import enclosure
from torchtwin.kernel.proof.judge import Rows, judge
from torchtwin.kernel.values import number
from torchtwin.protocol import Probe, Verdict

PROBES = 4
EXACT_ROWS = 8
"""Computed exactly in any case."""
MAX_ALARMS = 64
"""Rows that tripped the probe and are computed exactly; of more, the first."""
_ALARM = 4
_seeds = itertools.count(1)


@dataclass(frozen=True)
class Product:
    """What was computed: `left @ right.T + bias`, in one dtype."""

    left: Tensor
    """Shape (M, K)."""
    right: Tensor
    """Shape (N, K)."""
    bias: Tensor | None
    """Broadcasts to (M, N)."""


@dataclass(frozen=True)
class Sample:
    """The rows of a product that are computed exactly, and what a probe found in all of them."""

    rows: Tensor
    """In rising order."""
    tripped: Tensor
    """Those that tripped the probe, which `rows` has the worst of."""
    smallest: float
    """Absolute size of an error of one element that would have tripped it in any row."""
    total: int

    @property
    def left_out(self) -> int:
        """How many rows tripped the probe, and are not computed."""
        return max(len(self.tripped) - MAX_ALARMS, 0)


def sampled(product: Product, results: Sequence[Tensor], how: Arithmetic, besides: Tensor) -> Sample:
    """Which rows of several results of one product, each of shape (M, N), are worth computing, and `besides`.

    Draws from generators of its own.
    """
    sample = _sampled(_Wide(product), results, how)
    return replace(sample, rows=torch.unique(torch.cat([sample.rows, besides])))


def probed(product: Product, layer: Tensor, formula: Callable[[Tensor], Tensor], how: Arithmetic) -> Verdict:
    """The verdict on `layer`, of M * N elements in any shape; `formula` computes given rows, of shape (k, N)."""
    rows = layer.reshape(len(product.left), len(product.right))
    wide = _Wide(product)
    sample = _sampled(wide, [rows], how)
    verdict = _exactly(wide, rows, formula, how, Rows(sample.rows, layer.shape))
    return verdict if verdict.kind in ("different", "unchecked") else covered(verdict, sample, layer.numel())


def covered(verdict: Verdict, sample: Sample, elements: int) -> Verdict:
    """A verdict on the sample's rows, which agree, as one on all."""
    computed = len(sample.rows)
    if computed == sample.total:
        return msgspec.structs.replace(verdict, coverage="all")
    rows = f"{computed:,} of {sample.total:,} rows"
    message = verdict.message + (f"; {rows} were computed" if verdict.elements == elements else f", in {rows}")
    if sample.left_out:
        message += f"; {sample.left_out:,} more tripped a probe, and were not computed"
        return msgspec.structs.replace(verdict, message=message, coverage=f"rows {computed} of {sample.total}")
    heard = "trips nowhere else" if len(sample.tripped) else "is silent"
    message += f"; a probe over all {elements:,} elements {heard}"
    told = Probe(number(sample.smallest), 1 - 2.0**-PROBES, alarms=len(sample.tripped))
    return msgspec.structs.replace(verdict, message=message, coverage="probe", probe=told)


class _Wide:
    """The operands in float64, and the sizes of their rows."""

    def __init__(self, product: Product) -> None:
        self.left, self.right = product.left.double(), product.right.double()
        self.left_sizes, self.right_sizes = (torch.linalg.vector_norm(t, dim=1) for t in (self.left, self.right))
        shape = torch.Size((len(product.left), len(product.right)))
        self.bias = None if product.bias is None else _rows_of(product.bias.double(), shape)
        """Of one row, where that is the bias of all."""


def _rows_of(bias: Tensor, shape: torch.Size) -> Tensor:
    full = bias.broadcast_to(shape)
    return full[:1] if len(full) and full.stride(0) == 0 else full


def _sampled(wide: _Wide, results: Sequence[Tensor], how: Arithmetic) -> Sample:
    draw = torch.Generator().manual_seed(next(_seeds))
    excess, smallest = _alarm(wide, results, how, draw)
    tripped = (excess > 1).nonzero()[:, 0]
    worst = tripped[excess[tripped].topk(min(MAX_ALARMS, len(tripped))).indices]
    besides = torch.randperm(len(excess), generator=draw)[:EXACT_ROWS].to(worst.device)
    return Sample(torch.unique(torch.cat([worst, besides])), tripped, smallest, len(excess))


def _alarm(wide: _Wide, results: Sequence[Tensor], how: Arithmetic, draw: torch.Generator) -> tuple[Tensor, float]:
    """How far each row exceeds the alarm, beyond 1, and the smallest error that trips it and is called different."""
    terms, is_biased = wide.left.shape[1], wide.bias is not None
    signs = torch.randint(0, 2, (len(wide.right), PROBES), generator=draw).to(wide.left.device).double() * 2 - 1
    expected = wide.left @ (wide.right.T @ signs)
    square = wide.left_sizes.square() * wide.right_sizes.square().sum()
    if wide.bias is not None:
        expected = expected + wide.bias @ signs
        square = square + wide.bias.square().sum(1)
    limit = _ALARM * _usual(terms, is_biased, how) * square.sqrt()
    each = [(rows.double() @ signs - expected).abs().amax(1) for rows in results]
    off = torch.stack(each).amax(0)  # NaN where one is
    excess = torch.where(off <= limit, 0.0, off / limit).nan_to_num(nan=torch.inf)
    return excess, max(float(limit.max()), _rounding(wide, how)) if len(limit) else 0.0


def _rounding(wide: _Wide, how: Arithmetic) -> float:
    """What rounding can do to an element, and so hide: twice the bound, by |x| |w|^T <= norm(x) norm(w)."""
    size = wide.left_sizes.max() * wide.right_sizes.max()
    if wide.bias is not None:
        size = size + wide.bias.abs().max()
    return usual_bound(wide.left.shape[1], wide.bias is not None, how) * how.unit * float(size)


def _usual(terms: int, biased: bool, how: Arithmetic) -> float:
    """The size of rounding in a row, in units of S: as a random walk in the sum, and once or twice in the result."""
    result = (1 + biased) * how.unit if how.unit > how.sum_unit else 0.0
    own = UNIT_ROUNDOFF[torch.float64] * math.sqrt(terms)  # of the probe's own arithmetic
    return math.sqrt(terms + 1) * how.sum_unit + 2 * how.factor_unit + result + own


def _exactly(wide: _Wide, rows: Tensor, formula: Callable[[Tensor], Tensor], how: Arithmetic, chosen: Rows) -> Verdict:
    bias = None if wide.bias is None else wide.bias.broadcast_to(rows.shape)[chosen.index]
    exact = exact_product(wide.left[chosen.index], wide.right, bias)
    verdict = judge(rows[chosen.index], formula(chosen.index), enclosure(exact, how), rows=chosen)
    return msgspec.structs.replace(verdict, coverage=f"rows {len(chosen.index)} of {len(rows)}")
