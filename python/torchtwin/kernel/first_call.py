"""What hears of the first call in place of the recording, which is imported by then and not before.

To import it takes four times as long as to load all the rest, so it waits until it is needed: until a cell begins or
ends when torch is there, or for a call in the very cell or the script that turned the watch on. It loads modules of
ours alone: it matters not where the user's program has gone by then, nor what its folder has.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from torchtwin.kernel.tap import Observer


class FirstCall:
    """The tap's observer until there is another, which `begin` returns: the same one however often it is asked."""

    def __init__(self, begin: Callable[[], Observer], caught: Callable[[BaseException], None]) -> None:
        self._begin = begin
        self._caught = caught

    def returned(self, frame: FrameType, input: Tensor, weight: Tensor, bias: Tensor | None, output: Tensor) -> None:
        self._begin().returned(frame, input, weight, bias, output)  # the tap catches what this raises

    def raised(self, frame: FrameType, input: object, weight: object, bias: object, error: Exception) -> None:
        self._begin().raised(frame, input, weight, bias, error)

    def faulted(self, error: Exception) -> None:
        self._caught(error)
