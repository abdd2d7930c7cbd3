"""The surroundings of our own work: the user's modes neither see it nor change it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from torch._C import DisableTorchFunction, _AutoDispatchBelowAutograd, _DisableAutocast, _DisableTorchDispatch

P = ParamSpec("P")
R = TypeVar("R")


def quietly(function: Callable[P, R]) -> Callable[P, R]:
    """Runs `function` without gradients and autocast, and unseen by function modes, dispatch modes and subclasses.

    Torch's own guards written in C++, entered by `with` itself: an interrupt can come only before one is entered or
    after it has been left. In a context manager written in Python it can come between a switch and the switch back,
    and would leave the user with gradients off.
    """

    @functools.wraps(function)
    def quiet(*args: P.args, **kwargs: P.kwargs) -> R:
        with DisableTorchFunction(), _DisableTorchDispatch(), _AutoDispatchBelowAutograd(), _DisableAutocast():
            return function(*args, **kwargs)

    return quiet
