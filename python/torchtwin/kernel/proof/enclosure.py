"""Where every honest result of a computation lies: within `limit` of `value`, elementwise."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from torchtwin.kernel.proof.bounds import Arithmetic, Exact, allowance, gamma, usual_bound


@dataclass(frozen=True)
class Enclosure:
    """All tensors are float64 and of one shape."""

    value: Tensor
    """The exact result, as float64 has it."""
    limit: Tensor
    """How far an honest result may lie from it."""
    scale: Tensor
    """The sizes that were summed: |x| |w|^T + |b|."""
    unit: float
    """Unit roundoff of the result's dtype: differences are told in multiples of `unit * scale`."""
    usual: float
    """Twice the bound (each of two results has one) in that unit, leaving underflow aside."""
    largest: float
    """Largest finite number of the result's dtype."""
    flushes: bool
    """Whether subnormal operands may count as zero."""
    finite_scale: Callable[[], Tensor]
    """`scale` with non-finite operands left out: whether the finite ones alone can overflow."""
    terms: int
    """How many numbers were summed."""
    squares: Callable[[], Tensor]
    """Sum of the squares of what was summed."""

    def at(self, pick: Callable[[Tensor], Tensor]) -> Enclosure:
        """Of some of the elements, or of all in another order or shape."""
        finite_scale, squares = self.finite_scale, self.squares
        return replace(
            self,
            value=pick(self.value),
            limit=pick(self.limit),
            scale=pick(self.scale),
            finite_scale=lambda: pick(finite_scale()),
            squares=lambda: pick(squares()),
        )

    def holds(self, value: Tensor) -> Tensor:
        """Where rounding, or an overflow on the way, can have given `value` (float64)."""
        near = self.value.isfinite() & ((value - self.value).abs() <= self.limit)
        same = (value == self.value) | (value.isnan() & self.value.isnan())
        if self.flushes:  # an infinite factor times a subnormal one, taken as zero, is NaN
            same = same | (value.isnan() & ~self.value.isfinite())
        return near | same | (self._can_overflow() & ~(value.isfinite() & self.value.isfinite()))

    def all_near(self, value: Tensor) -> bool:
        """Whether all of `value`, of any dtype, is finite and within the limit; the quick question of every call."""
        return bool(((value.double() - self.value).abs_() <= self.limit).all())

    def with_rounded_sums(self) -> Enclosure:
        """Where results usually lie whose partial sums were rounded to the result's own dtype, each time.

        No bound, which would be `terms * unit * scale`, but four times what a random walk of that many roundings gives.
        """
        walk = 4 * math.sqrt(self.terms) * self.unit * (self.value.abs() + self.squares().sqrt())
        return replace(self, limit=self.limit + walk)

    def _can_overflow(self) -> Tensor:
        # Of finite operands both scales are the same, and this one is there already.
        scale = self.scale if bool(self.scale.isfinite().all()) else self.finite_scale()
        return scale + self.limit.nan_to_num(nan=0.0, posinf=0.0) >= self.largest


def enclosure(exact: Exact, how: Arithmetic) -> Enclosure | None:
    """Of a product or a sum in this arithmetic; null where so many terms have no finite bound."""
    if math.isinf(gamma(exact.terms + 1, how.sum_unit)):
        return None
    return Enclosure(
        value=exact.value,
        limit=allowance(exact, how),
        scale=exact.scale,
        unit=how.unit,
        usual=usual_bound(exact.terms, exact.biased, how),
        largest=how.largest,
        flushes=how.flushes,
        finite_scale=exact.finite_scale,
        terms=exact.terms + exact.biased,
        squares=exact.squares,
    )


def total(parts: list[Enclosure]) -> Enclosure:
    """Of the sum of several results, added in any order in the same arithmetic: each addition rounds once more."""
    first, n = parts[0], len(parts)
    value = torch.stack([part.value for part in parts]).sum(0)
    sizes = torch.stack([part.value.abs() + part.limit for part in parts]).sum(0)
    rounding = gamma(n - 1, first.unit) * sizes if n > 1 else 0.0
    return replace(
        first,
        value=value,
        limit=torch.stack([part.limit for part in parts]).sum(0) * (1 + gamma(n, first.unit)) + rounding,
        scale=torch.stack([part.scale for part in parts]).sum(0),
        usual=max(part.usual for part in parts) + 2 * (n - 1),
        finite_scale=lambda: torch.stack([part.finite_scale() for part in parts]).sum(0),
        terms=sum(part.terms for part in parts),
        squares=lambda: torch.stack([part.squares() for part in parts]).sum(0),
    )
