"""Keeps out of the way of `torch.utils.swap_tensors`, which refuses tensors that anybody refers to weakly.

`nn.Module.to` uses it for parameters of tensor subclasses, and for all with
`torch.__future__.set_swap_module_params_on_conversion`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor


class SwapTap:
    """While it is on, what we know of tensors is forgotten before any two of them are swapped."""

    def __init__(self, forget: Callable[[], None]) -> None:
        self._forget = forget
        self._original: Callable[[Tensor, Tensor], None] | None = None
        self._ours: Callable[[Tensor, Tensor], None] | None = None

    def put_on(self) -> None:
        """Harmless when it is on already."""
        if self._ours is not None:
            return
        original: Callable[[Tensor, Tensor], None] = torch.utils.swap_tensors

        @functools.wraps(original)
        def swap_tensors(t1: Tensor, t2: Tensor) -> None:
            self._forget()
            original(t1, t2)

        self._original, self._ours = original, swap_tensors
        torch.utils.swap_tensors = swap_tensors

    def take_off(self) -> None:
        """Leaves another's wrapper, put on after ours, where it is."""
        if self._original is not None and torch.utils.swap_tensors is self._ours:
            torch.utils.swap_tensors = self._original
        self._original = self._ours = None
