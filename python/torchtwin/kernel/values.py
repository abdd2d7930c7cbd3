"""Elements as they travel: plain numbers, of small tensors only."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from torchtwin.protocol import Number

if TYPE_CHECKING:
    from torch import Tensor

MAX_ELEMENTS = 256
MAX_PER_CELL = 100_000
"""Numbers that travel with the calls of one cell; later calls of that cell travel without, and can be asked for."""


def number(value: float) -> Number:
    """`value`, or its name where JSON has no number for it."""
    if math.isfinite(value):
        return value
    word: Literal["nan", "inf", "-inf"] = "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return word


def numbers(tensor: Tensor) -> list[Number]:
    """All elements, in row-major order."""
    return [number(v) for v in tensor.detach().reshape(-1).tolist()]


class Allowance:
    """Hands out what may travel within one cell."""

    def __init__(self) -> None:
        self._left = MAX_PER_CELL

    def renew(self) -> None:
        """A new cell begins."""
        self._left = MAX_PER_CELL

    def numbers(self, tensor: Tensor | None) -> list[Number] | None:
        """The elements of a small tensor while the allowance lasts, else null."""
        if tensor is None or tensor.numel() > MAX_ELEMENTS or tensor.numel() > self._left:
            return None
        if tensor.device.type != "cpu":  # to read it would wait for a device that works on its own
            return None
        self._left -= tensor.numel()
        return numbers(tensor)
