"""The elementwise functions between layers, and how far they carry rounding on.

For a function with Lipschitz constant L, |f(y') - f(y)| <= L |y' - y|; of one that never falls, f(y') lies between the
values at both ends. Its own evaluation, by torch or written by hand, is taken to be within some units of the largest of
|f(y)|, min(|y|, c) and a: c = 4 where the textbook multiplies y by what is nearly 0, or subtracts from it, and a = 1
where it subtracts from 1, as (e^y - e^-y) / (e^y + e^-y), e^y - 1 and log(1 + e^y) do for small y. In low precisions,
where each step rounds far more than the functions themselves do, it is fewer units. Those that only select among their
arguments are exact. All of it is measured in the tests, over the textbook's forms.

Forms that lose more than that are not the same function in floating point: -log(1 - sigmoid(y)), say, for large y.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from torchtwin.kernel.proof.bounds import UNIT_ROUNDOFF, gamma
from torchtwin.kernel.proof.enclosure import Enclosure

_ACCURACY = 16
_LOW_ACCURACY = 4
_TINY = {UNIT_ROUNDOFF[dtype]: float(torch.finfo(dtype).smallest_normal) for dtype in UNIT_ROUNDOFF}
"""The smallest normal number, by the unit roundoff."""


@dataclass(frozen=True)
class Activation:
    name: str
    """As a person would write it, with `{}` for the argument."""
    apply: Callable[[Tensor], Tensor]
    lipschitz: float
    node: str | None = None
    """How autograd calls it; null where it leaves no node."""
    exact: bool = False
    rises: bool = True
    """Whether it never falls."""
    counted: float = 1.0
    """c: the largest argument whose size counts for the accuracy."""
    absolute: float = 0.0
    """a: the size that counts in any case."""
    threshold: float = math.inf
    """The argument from which on torch leaves e^-y out."""

    def of(self, inner: Enclosure) -> Enclosure:
        """Where honest results of the function lie, given where its arguments do."""
        value = self.apply(inner.value)
        carried = self.lipschitz * inner.limit * (1 + 2 * inner.unit)
        if self.rises:
            reach = inner.limit + 2 * UNIT_ROUNDOFF[torch.float64] * inner.value.abs()  # the ends are rounded
            up, down = self.apply(inner.value + reach), self.apply(inner.value - reach)
            carried = torch.fmin(carried, torch.maximum(up - value, value - down).nan_to_num(nan=0.0))
        return replace(inner, value=value, limit=carried + self._own(value, inner))

    def _own(self, value: Tensor, inner: Enclosure) -> Tensor | float:
        if self.exact:
            return 0.0
        accuracy = _ACCURACY if inner.unit <= UNIT_ROUNDOFF[torch.float32] else _LOW_ACCURACY
        tiny = _TINY[inner.unit] * (1 if inner.flushes else 2 * inner.unit)
        sizes = torch.maximum(value.abs(), (inner.value.abs() + inner.limit).clamp(max=self.counted))
        return accuracy * (inner.unit * sizes.clamp(min=self.absolute) + tiny) + self._left_out(inner)

    def _left_out(self, inner: Enclosure) -> Tensor:
        lowest = (inner.value - inner.limit).clamp(min=self.threshold)
        return torch.where(inner.value + inner.limit >= self.threshold, torch.exp(-lowest), 0.0)


ACTIVATIONS = (
    Activation("{}", lambda t: t, 1.0, exact=True),
    Activation("torch.relu({})", torch.relu, 1.0, "ReluBackward", exact=True),
    Activation("torch.tanh({})", torch.tanh, 1.0, "TanhBackward", absolute=1.0),
    Activation("torch.sigmoid({})", torch.sigmoid, 0.25, "SigmoidBackward"),
    Activation("F.gelu({})", functional.gelu, 1.13, "GeluBackward", rises=False, counted=4.0),
    Activation(
        "F.gelu({}, approximate='tanh')",
        lambda t: functional.gelu(t, approximate="tanh"),
        1.13,
        "GeluBackward",
        rises=False,
        counted=4.0,
    ),
    Activation("F.silu({})", functional.silu, 1.1, "SiluBackward", rises=False, counted=4.0),
    Activation("F.leaky_relu({})", functional.leaky_relu, 1.0, "LeakyReluBackward", counted=0.0),
    Activation("F.elu({})", functional.elu, 1.0, "EluBackward", absolute=1.0),
    Activation(
        "F.softplus({})",
        functional.softplus,
        1.0,
        "SoftplusBackward",
        counted=4.0,
        absolute=1.0,
        threshold=20.0,
    ),
    Activation("F.relu6({})", functional.relu6, 1.0, "HardtanhBackward", exact=True),
    Activation("F.hardtanh({})", functional.hardtanh, 1.0, "HardtanhBackward", exact=True),
)


@dataclass(frozen=True)
class Reduction:
    """To a single number."""

    name: str
    apply: Callable[[Tensor], Tensor]
    node: str

    def of(self, inner: Enclosure) -> Enclosure:
        n = inner.value.numel()
        by = 1 / n if self.apply is torch.mean else 1.0
        sizes = (inner.value.abs() + inner.limit).sum()
        limit = inner.limit.sum() + (gamma(n, inner.unit) + 2 * inner.unit) * sizes
        finite_scale, squares = inner.finite_scale, inner.squares
        return replace(
            inner,
            value=inner.value.sum() * by,
            limit=limit * by * (1 + 2 * inner.unit),
            scale=inner.scale.sum() * by,
            usual=inner.usual + 2 * n,
            finite_scale=lambda: finite_scale().sum(),
            terms=inner.terms + n,
            squares=lambda: squares().sum() * by * by,
        )


REDUCTIONS = (Reduction("{}.sum()", torch.sum, "SumBackward"), Reduction("{}.mean()", torch.mean, "MeanBackward"))


def steps_from(output: Tensor, result: Tensor) -> Iterator[Activation | Reduction]:
    """The functions that give `result` from `output`, bit for bit. Both are plain and of one dtype and device.

    None gives half of it: that is what GELU and SiLU make of tiny numbers, and what anybody may have done to them.
    """
    if output.dtype != result.dtype or output.device != result.device or not output.dtype.is_floating_point:
        return
    candidates: tuple[Activation | Reduction, ...] = ACTIVATIONS if output.shape == result.shape else ()
    if result.dim() == 0 and output.numel() > 1:
        candidates = REDUCTIONS
    if candidates is ACTIVATIONS and bool(output.any()) and torch.equal(output / 2, result):
        return
    yield from (step for step in candidates if torch.equal(step.apply(output), result))
