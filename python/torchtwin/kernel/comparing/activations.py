"""The elementwise functions between layers, and how far they carry rounding on.

For a function with Lipschitz constant L, |f(y') - f(y)| <= L |y' - y|; its own evaluation is taken to be within
`_ACCURACY` units of max(|f(y)|, |y|), which is more than any of torch's needs (measured in the tests). Those that only
select among their arguments are exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from torchtwin.kernel.proof.bounds import gamma
from torchtwin.kernel.proof.enclosure import Enclosure

_ACCURACY = 16


@dataclass(frozen=True)
class Activation:
    name: str
    """As a person would write it, with `{}` for the argument."""
    apply: Callable[[Tensor], Tensor]
    lipschitz: float
    exact: bool = False

    def of(self, inner: Enclosure) -> Enclosure:
        """Where honest results of the function lie, given where its arguments do."""
        value = self.apply(inner.value)
        own = (
            0.0 if self.exact else _ACCURACY * inner.unit * torch.maximum(value.abs(), inner.value.abs() + inner.limit)
        )
        return replace(inner, value=value, limit=self.lipschitz * inner.limit * (1 + 2 * inner.unit) + own)


ACTIVATIONS = (
    Activation("{}", lambda t: t, 1.0, exact=True),
    Activation("torch.relu({})", torch.relu, 1.0, exact=True),
    Activation("torch.tanh({})", torch.tanh, 1.0),
    Activation("torch.sigmoid({})", torch.sigmoid, 0.25),
    Activation("F.gelu({})", functional.gelu, 1.13),
    Activation("F.gelu({}, approximate='tanh')", lambda t: functional.gelu(t, approximate="tanh"), 1.13),
    Activation("F.silu({})", functional.silu, 1.1),
    Activation("F.leaky_relu({})", functional.leaky_relu, 1.0),
    Activation("F.elu({})", functional.elu, 1.0),
    Activation("F.softplus({})", functional.softplus, 1.0),
    Activation("F.relu6({})", functional.relu6, 1.0, exact=True),
    Activation("F.hardtanh({})", functional.hardtanh, 1.0, exact=True),
)


@dataclass(frozen=True)
class Reduction:
    """To a single number."""

    name: str
    apply: Callable[[Tensor], Tensor]

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


REDUCTIONS = (Reduction("{}.sum()", torch.sum), Reduction("{}.mean()", torch.mean))


def steps_from(output: Tensor, result: Tensor) -> Iterator[Activation | Reduction]:
    """The functions that give `result` from `output`, bit for bit. Both are plain and of one dtype and device."""
    if output.dtype != result.dtype or output.device != result.device or not output.dtype.is_floating_point:
        return
    candidates: tuple[Activation | Reduction, ...] = ACTIVATIONS if output.shape == result.shape else ()
    if result.dim() == 0 and output.numel() > 1:
        candidates = REDUCTIONS
    yield from (step for step in candidates if torch.equal(step.apply(output), result))
