"""Calls that are like another one, in short: runs of them on their way out, and those that are kept."""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from torchtwin.protocol import Run

MAX_IN_RUN = 1_000


class Alike(msgspec.Struct, frozen=True, eq=False):
    """A call that was not told whole."""

    call: int
    """The id of the call that it is like."""
    shape: tuple[int, ...]
    """Of its input."""


def runs(first: int, calls: Sequence[Alike], began: float, ended: float, reason: str) -> Iterator[Run]:
    """The calls from `first` on, made between `began` and `ended` (seconds since the epoch).

    To note when each was made would cost every call a tenth of a microsecond.
    """
    step = (ended - began) / max(len(calls), 1)
    for start in range(0, len(calls), MAX_IN_RUN):
        some = calls[start : start + MAX_IN_RUN]
        different = list(dict.fromkeys(some))
        shapes = list(dict.fromkeys(it.shape for it in different))
        call = {it: it.call for it in different}.__getitem__
        shape = {it: shapes.index(it.shape) for it in different}.__getitem__
        yield Run(
            first=first + start,
            like=list(map(call, some)),
            shapes=[list(it) for it in shapes],
            shape=list(map(shape, some)) if len(shapes) > 1 else [0] * len(some),
            time=began + step * (start + 1),
            seconds=step * (len(some) - 1),
            reason=reason,
        )


class Runs:
    """The runs that are kept, oldest first, and which calls they are like."""

    def __init__(self) -> None:
        self._runs: list[Run] = []
        self._like: Counter[int] = Counter()
        """How many runs have calls that are like one, by its id."""
        self.calls = 0

    def __iter__(self) -> Iterator[Run]:
        return iter(self._runs)

    def add(self, run: Run) -> None:
        self._runs.append(run)
        self._like.update(set(run.like))
        self.calls += len(run.like)

    def drop_oldest(self) -> Run:
        run = self._runs.pop(0)
        like = set(run.like)
        self._like.subtract(like)
        self.calls -= len(run.like)
        for id in {id for id in like if not self._like[id]}:
            del self._like[id]
        return run

    def refer_to(self, id: int) -> bool:
        """Whether one of them is like that call."""
        return id in self._like

    def with_call(self, id: int) -> Run | None:
        """The run that the call `id` is in."""
        at = bisect.bisect_right(self._runs, id, key=lambda run: run.first) - 1
        return self._runs[at] if at >= 0 and id < self._runs[at].first + len(self._runs[at].like) else None

    def clear(self) -> None:
        self._runs.clear()
        self._like.clear()
        self.calls = 0
