"""What the tap may pass on after one look: calls that are like one that was told whole."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator
from types import CodeType

import torch

from torchtwin.kernel.runs import Alike


class Pattern:
    """What is the same in calls that are alike, as far as the tap looks. Holds no tensor.

    The frames between the inner and the user's are not looked at: that the same instruction calls the same weight
    through the same function is enough.
    """

    __slots__ = ("alike", "bias", "code", "depth", "dtype", "inner", "instruction", "requires_grad", "shape")

    def __init__(
        self,
        alike: Alike,
        inner: CodeType,
        depth: int,
        code: CodeType,
        instruction: int,
        bias: int,
        shape: torch.Size,
        dtype: torch.dtype,
        requires_grad: bool,
    ) -> None:
        self.alike = alike
        self.inner = inner
        """Of the frame that calls `F.linear`, as `nn.Linear.forward`."""
        self.depth = depth
        """Of the user's frame, 1 being the inner one."""
        self.code = code
        """Of the user's frame, with the instruction in it."""
        self.instruction = instruction
        self.bias = bias
        """Its `id`."""
        self.shape = shape
        """Of the input."""
        self.dtype = dtype
        """Of the output."""
        self.requires_grad = requires_grad
        """Whether the output does."""


class FastPath:
    """Shared by the tap, which reads it in every call, and the recording, which says what may pass."""

    __slots__ = ("_closed", "_wanted", "due", "patterns", "take")

    def __init__(self, pending: deque[Alike]) -> None:
        self.patterns: dict[int, Pattern] = {}
        """The newest pattern of each layer, by the `id` of its weight; who enters one removes it with the weight."""
        self.take = pending.append
        """Counts a call as one that is like another."""
        self.due = True
        """Whether the next call is to be looked at whole, whatever it is like."""
        self._wanted = True
        self._closed = 0

    def look_at_next(self, wanted: bool) -> None:
        self._wanted = wanted
        self.due = wanted or self._closed > 0

    @contextlib.contextmanager
    def closed(self) -> Iterator[None]:
        """Meanwhile every call is looked at whole."""
        self._closed += 1
        self.due = True
        try:
            yield
        finally:
            self._closed -= 1
            self.look_at_next(self._wanted)
