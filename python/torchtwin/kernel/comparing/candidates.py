"""The user's values that may be a call's output or gradient, and which of them the last cell bound or changed."""

from __future__ import annotations

import functools
import time
import zlib
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

from torchtwin.kernel.comparing.sides import Side, side
from torchtwin.kernel.identity import has_storage, mark
from torchtwin.kernel.kinds import is_tensor
from torchtwin.kernel.proof.bounds import UNIT_ROUNDOFF
from torchtwin.kernel.scopes import shown


class State(NamedTuple):
    """What tells whether a name means another value than before, or a changed one."""

    identity: object
    mark: object
    """Null for an array, which does not count its changes, whose elements were not looked at."""

    def is_changed_from(self, before: State | None) -> bool:
        if before is None or before.identity != self.identity:
            return True
        return None not in (self.mark, before.mark) and self.mark != before.mark


@dataclass(frozen=True)
class Candidate:
    """A value of the user's that may be a call's."""

    name: str
    held: Any
    """A tensor, or an array."""
    is_new: bool
    """Whether the last cell bound or changed it."""

    @functools.cached_property
    def side(self) -> Side | None:
        """The array's own memory where torch can read it, else a copy."""
        made = side(self.held if is_tensor(self.held) else _lent(self.held), self.name)
        return made if isinstance(made, Side) else None


class Candidates:
    """Knows what each name was after the last cell."""

    def __init__(self) -> None:
        self._seen: dict[str, State] = {}

    def forget(self) -> None:
        """Whatever comes is new."""
        self._seen.clear()

    def after_cell(
        self, names: Mapping[str, Any], shapes: Container[torch.Size], until: float
    ) -> tuple[list[Candidate], set[str], int]:
        """Those of one of the shapes; all names that were bound or changed; and how many were not read for that."""
        found: list[Candidate] = []
        seen: dict[str, State] = {}
        changed, unread = set[str](), 0
        for name, value in shown(names):
            for words, part in _parts(name, value):
                before, is_alike = self._seen.get(words), tuple(part.shape) in shapes
                now = _state(part, is_read=False)
                if now.mark is None and (is_alike or (before is not None and before.mark is not None)):
                    is_late = time.perf_counter() >= until
                    unread += is_late
                    now = _unread(now, before) if is_late else _state(part, is_read=True)
                seen[words] = now
                if is_new := now.is_changed_from(before):
                    changed.add(words)
                if is_alike and is_readable(part):
                    found.append(Candidate(words, part, is_new))
        changed |= self._seen.keys() - seen.keys()
        self._seen = seen
        return found, changed, unread


def _unread(now: State, before: State | None) -> State:
    """What stays known of an array that there was no time to read, so that the next look still finds it changed."""
    return before if before is not None and before.identity == now.identity else now


def _parts(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """A tensor and its `.grad`, or an array."""
    if is_tensor(value):
        if not has_storage(value):
            return
        yield name, value
        gradient = value.grad if value.is_leaf or value.retains_grad else None
        if gradient is not None:
            yield f"{name}.grad", gradient
    elif _is_array(value):
        yield name, value


def _is_array(value: object) -> bool:
    return f"{type(value).__module__}.{type(value).__qualname__}" == "numpy.ndarray"


def is_readable(value: Any) -> bool:
    """Whether rounding is known for numbers of its dtype. Reads none of them."""
    if is_tensor(value):
        return has_storage(value) and value.dtype in UNIT_ROUNDOFF and value.numel() > 0
    return _is_array(value) and value.dtype.kind == "f" and value.dtype.itemsize in (2, 4, 8) and value.size > 0


def _lent(array: Any) -> Any:
    """Its memory as a tensor, where torch takes it as it is."""
    is_plain = array.dtype.isnative and array.flags.writeable and min(array.strides, default=0) >= 0
    return torch.from_numpy(array) if is_plain and array.flags.aligned and array.ndim else array


def _state(value: Any, is_read: bool) -> State:
    if is_tensor(value):
        return State(id(value), mark(value))
    where = id(value), value.shape, value.dtype.str, value.__array_interface__["data"][0]
    if not is_read or not is_readable(value):
        return State(where, None)
    return State(where, zlib.crc32(value if value.flags.c_contiguous else value.tobytes()))
