"""What the tap may pass on after one look: calls that are like one that was told whole."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from types import CodeType

import torch
from torch import Tensor

from torchtwin.kernel.runs import Alike

_NEVER_CAST_TO = (torch.float32, torch.float64)
"""By autocast: an output of these has the dtype of its input."""


class Pattern:
    """What is the same in calls that are alike, as far as the tap looks. Holds no tensor.

    The frames between the inner and the user's are not looked at: that the same instruction calls the same weight
    through the same function is enough.
    """

    __slots__ = (
        "alike",
        "bias",
        "code",
        "depth",
        "device",
        "dtype",
        "elements",
        "inner",
        "input_dtype",
        "input_requires_grad",
        "instruction",
        "requires_grad",
        "shape",
        "weight_requires_grad",
    )

    def __init__(
        self,
        alike: Alike,
        inner: CodeType,
        depth: int,
        code: CodeType,
        instruction: int,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        output: Tensor,
    ) -> None:
        self.alike = alike
        self.inner = inner
        """Of the frame that calls `F.linear`, as `nn.Linear.forward`."""
        self.depth = depth
        """Of the user's frame, 1 being the inner one."""
        self.code = code
        """Of the user's frame, with the instruction in it."""
        self.instruction = instruction
        self.bias = id(bias)
        self.shape = input.shape
        """Of the input. With it the number of the output's elements tells the shape of the weight."""
        self.elements = output.numel()
        self.dtype = output.dtype
        """Of the output, as the following."""
        self.requires_grad = output.requires_grad
        self.input_requires_grad = input.requires_grad
        self.weight_requires_grad = weight.requires_grad
        self.input_dtype = None if output.dtype in _NEVER_CAST_TO else input.dtype
        """Null where it can only be the output's."""
        self.device = output.get_device() if torch.accelerator.is_available() else None
        """Index of the output's; null where there is but one."""


MISSED = 50
"""Calls that are looked at whole before somebody is asked to count: who makes but a few gets no thread for them."""


def _nothing() -> None:
    pass


class FastPath:
    """Shared by the tap, which reads it in every call, and the recording, which says what may pass."""

    __slots__ = ("_closed", "_missed", "_wanted", "due", "is_counted", "patterns", "take", "wake")

    def __init__(self, pending: deque[Alike]) -> None:
        self.patterns: dict[int, Pattern] = {}
        """The newest pattern of each layer, by the `id` of its weight; who enters one removes it with the weight."""
        self.take = pending.append
        """Counts a call as one that is like another."""
        self.due = True
        """Whether the next call is to be looked at whole, whatever it is like."""
        self.is_counted = False
        """Whether somebody counts what passes, some times a second. Nothing passes before."""
        self.wake: Callable[[], None] = _nothing
        """Asks for somebody to count: in a thread that outlives its cell, and in the child of a fork, nobody does."""
        self._missed = 0
        self._wanted = True
        self._closed = 0

    def wake_at_next(self) -> None:
        """Somebody counted, and is asked again by the very next call."""
        self._missed = MISSED - 1

    def missed(self) -> None:
        """A call was looked at whole while nobody counts."""
        self._missed += 1
        if self._missed >= MISSED:
            self._missed = 0
            self.wake()

    def look_at_next(self, wanted: bool) -> None:
        self._wanted = wanted
        self.due = wanted or self._closed > 0 or not self.is_counted

    def look_at_oldest(self) -> None:
        """The next call is looked at whole of the layer that was let pass first."""
        for weight in list(self.patterns)[:1]:
            self.patterns.pop(weight, None)

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
