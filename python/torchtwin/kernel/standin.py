"""What stands in torch's place of one of its functions: it is taken for the original wherever that can be."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from types import FrameType
from typing import Any


class StandIn:
    """Equal to the original, and of the same hash, so that tables keyed by either find it by the other."""

    def __init__(self, original: Callable[..., Any]) -> None:
        self.original = original
        self.observing = False
        functools.update_wrapper(self, original, updated=())

    def __call__(self, *operands: Any, **named: Any) -> Any:
        return self.original(*operands, **named)

    def __eq__(self, other: object) -> bool:
        return other is self or other is self.original

    def __hash__(self) -> int:
        return hash(self.original)

    def __repr__(self) -> str:
        return repr(self.original)

    def __copy__(self) -> StandIn:
        return self

    def __deepcopy__(self, memo: object) -> StandIn:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled as the original, so that it loads where Torchtwin is not installed."""
        return copy.copy, (self.original,)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.original, name)


def called_from(frame: FrameType, original: Callable[..., Any], operands: Any, named: Any) -> Any:
    """Under torch.jit.trace, where even a look at a shape would become part of the trace.

    The trace names its values by the variables of the Python frame that calls, so this one has the user's.
    """
    call = {"original": original, "given": operands, "named": named}
    return eval("original(*given, **named)", call, frame.f_locals)
