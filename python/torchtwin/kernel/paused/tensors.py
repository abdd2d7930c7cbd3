"""The tensors that a frame has names for. None of the user's code runs for it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from torch import Tensor

from torchtwin.kernel.describe import dtype_name, shape
from torchtwin.kernel.kinds import is_tensor
from torchtwin.kernel.paused.statistics import statistics, unreadable, waits
from torchtwin.kernel.quiet import quietly
from torchtwin.kernel.scopes import shown
from torchtwin.kernel.tensors import can_be_described, gradient
from torchtwin.protocol.paused import FrameTensor, Statistics

MAX_ROWS = 300
MAX_SECONDS = 0.25
"""For all statistics together; of the tensors after that only shapes are told."""

_READ = {
    "shape",
    "dtype",
    "device",
    "requires_grad",
    "grad",
    "is_leaf",
    "retains_grad",
    "layout",
    "is_meta",
    "is_nested",
}
_READ |= {"__getattribute__", "size", "dim", "numel"}

Scope = Literal["local", "global"]


@quietly
def tensors(spaces: Sequence[Mapping[str, Any]]) -> tuple[list[FrameTensor], int]:
    """Those of the namespaces, nearest first, and how many there are beyond `MAX_ROWS`."""
    until = time.monotonic() + MAX_SECONDS
    found = list(_named(spaces))
    rows = [_row(name, scope, tensor, time.monotonic() < until) for name, scope, tensor in found[:MAX_ROWS]]
    return rows, max(len(found) - MAX_ROWS, 0)


def _named(spaces: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Scope, Tensor]]:
    """A global that a local hides has no name here."""
    hidden: set[str] = set()
    for depth, names in enumerate(spaces):
        scope: Scope = "global" if depth == len(spaces) - 1 else "local"
        for name, value in shown(names):
            if name not in hidden and name.isidentifier() and is_tensor(value) and can_be_told(value):
                yield name, scope, value
        hidden.update(names)


def can_be_told(tensor: Tensor) -> bool:
    """Not a tensor whose very shape is a property of the user's, or computed by their class."""
    own = type(tensor).__mro__[: type(tensor).__mro__.index(Tensor)]
    if any(_READ.intersection(vars(kind)) for kind in own):
        return False
    try:
        return can_be_described(tensor)
    except Exception:
        return False


def _row(name: str, scope: Scope, tensor: Tensor, in_time: bool) -> FrameTensor:
    read, unread = _read(tensor) if in_time else (None, "there was no time left to read it")
    return FrameTensor(
        name=name,
        scope=scope,
        shape=shape(tensor),
        dtype=dtype_name(tensor),
        device=str(tensor.device),
        requires_grad=tensor.requires_grad,
        has_grad=gradient(tensor) is not None,
        statistics=read,
        unread=unread,
    )


def _read(tensor: Tensor) -> tuple[Statistics | None, str | None]:
    reason = unreadable(tensor) or waits(tensor)
    if reason is not None:
        return None, reason
    found = statistics(tensor)
    return found, None if found is not None else f"torch has no arithmetic for {dtype_name(tensor)}"
