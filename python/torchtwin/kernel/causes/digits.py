"""Numbers with few digits, as a person types them from paper; and numbers that went through a lower precision."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from torchtwin.kernel.proof.bounds import UNIT_ROUNDOFF

MAX_DIGITS = 8
FIRST = 64
"""Elements that are looked at before all are."""
CHANCE = 1e-3
"""That so many numbers have so few digits, which is too little for chance."""
_LOW = (torch.bfloat16, torch.float16, torch.float32)


@dataclass(frozen=True)
class Digits:
    """How many digits, or of which precision, all of some numbers are."""

    words: str
    """After "rounded to": "4 decimals", "float16"."""
    half_step: Tensor
    """How far each may be from what was rounded."""

    def says_something_of(self, rounded: Tensor) -> bool:
        """Whether most of what was rounded is larger than the last digit, so that not anything is near."""
        return 2 * int((rounded.abs() > 2 * self.half_step).sum()) > int((rounded != 0).sum())


def digits_of(values: Tensor, precision: torch.dtype | float) -> Iterator[Digits]:
    """The fewest decimals that all values have, and the fewest significant digits, where that is no chance.

    `precision` of the values: their dtype, or its unit roundoff.
    """
    unit = UNIT_ROUNDOFF.get(precision, 2.0**-53) if isinstance(precision, torch.dtype) else precision
    sizes = values.abs()
    if not bool(values.isfinite().all()) or not bool(sizes.any()):
        return
    decimals = ((_decimals(count), torch.full_like(sizes, 10.0**-count)) for count in range(MAX_DIGITS + 1))
    exponent = sizes.clamp(min=1e-300).log10().floor()
    digits = (
        (f"{count} significant digits", torch.where(sizes > 0, 10.0 ** (exponent - count + 1), 0.0))
        for count in range(2, MAX_DIGITS + 1)
    )
    for ways in (decimals, digits):
        found = next((it for it in ways if _are_multiples(sizes, it[1], unit)), None)
        if found is not None and _is_no_chance(sizes, found[1], unit):
            yield Digits(found[0], found[1] * (0.5 + 1e-9))


def _decimals(count: int) -> str:
    return "whole numbers" if count == 0 else f"{count} decimal{'s' * (count > 1)}"


def _are_multiples(sizes: Tensor, step: Tensor, unit: float) -> bool:
    sizes, step = sizes.reshape(-1), step.reshape(-1)
    for part in (slice(FIRST), slice(None)):  # nearly always the first few are none
        nearest = torch.where(step[part] > 0, (sizes[part] / step[part]).round() * step[part], 0.0)
        if not bool(((sizes[part] - nearest).abs() <= (unit + 2.0**-51) * sizes[part]).all()):
            return False
    return True


def _is_no_chance(sizes: Tensor, step: Tensor, unit: float) -> bool:
    """The numbers of the precision near a multiple of the step are few among all between two multiples."""
    counts = sizes > 0
    each = (2 * unit * sizes[counts] / step[counts]).clamp(max=1.0)
    return float(each.log().sum()) <= math.log(CHANCE)


def rounded_to(values: Tensor, dtype: torch.dtype) -> Iterator[Digits]:
    """The lower precisions that all values of `dtype` are numbers of; zeros, which are of each, say nothing alone."""
    if not bool(values.any()):
        return
    for low in _LOW:
        unit, info = UNIT_ROUNDOFF[low], torch.finfo(low)
        if UNIT_ROUNDOFF.get(dtype, 1.0) < unit and torch.equal(values.to(low).to(values.dtype), values):
            half_step = unit * (1 + 2 * unit) * values.abs() + float(info.smallest_normal * info.eps)
            yield Digits(str(low).removeprefix("torch."), half_step)
