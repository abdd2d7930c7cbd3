"""The elementwise functions between layers, and how far they carry rounding on.

For a function with Lipschitz constant L, |f(y') - f(y)| <= L |y' - y|; of one that never falls, f(y') lies between the
values at both ends. Its own evaluation is taken to be within some units of max(|f(y)|, min(|y|, c)), which is more than
any of torch's needs (measured in the tests), with c = 4 for gelu and 1 for the others. In low precisions, where torch
evaluates in float32 and rounds once, it is fewer units. Those that only select among their arguments are exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from torchtwin.kernel.proof.bounds import UNIT_ROUNDOFF, gamma
from torchtwin.kernel.proof.enclosure import Enclosure

_ACCURACY = 16
_LOW_ACCURACY = 4


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
    """The largest argument whose size counts for the accuracy."""

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
        sizes = torch.maximum(value.abs(), (inner.value.abs() + inner.limit).clamp(max=self.counted))
        return accuracy * inner.unit * sizes


ACTIVATIONS = (
    Activation("{}", lambda t: t, 1.0, exact=True),
    Activation("torch.relu({})", torch.relu, 1.0, "ReluBackward", exact=True),
    Activation("torch.tanh({})", torch.tanh, 1.0, "TanhBackward"),
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
    Activation("F.silu({})", functional.silu, 1.1, "SiluBackward", rises=False),
    Activation("F.leaky_relu({})", functional.leaky_relu, 1.0, "LeakyReluBackward"),
    Activation("F.elu({})", functional.elu, 1.0, "EluBackward"),
    Activation("F.softplus({})", functional.softplus, 1.0, "SoftplusBackward"),
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
    """The functions that give `result` from `output`, bit for bit. Both are plain and of one dtype and device."""
    if output.dtype != result.dtype or output.device != result.device or not output.dtype.is_floating_point:
        return
    candidates: tuple[Activation | Reduction, ...] = ACTIVATIONS if output.shape == result.shape else ()
    if result.dim() == 0 and output.numel() > 1:
        candidates = REDUCTIONS
    yield from (step for step in candidates if torch.equal(step.apply(output), result))
