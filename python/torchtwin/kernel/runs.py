"""Calls that are like another one, in short: a run of them on its way out, and one of them told whole again."""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from torchtwin.protocol import Call, Gradients, Operand, Run, Values, Verdict

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


def told_whole(run: Run, id: int, like: Call) -> Call:
    """A call of `run`, as the one that it is `like` but for its sizes and time, and unchecked."""
    place = id - run.first
    shape = run.shapes[run.shape[place]]
    verdict = Verdict(kind="unchecked", message=f"not checked: {run.reason}", reason=run.reason)
    return msgspec.structs.replace(
        like,
        id=id,
        operands=msgspec.structs.replace(
            like.operands, input=_resized(like.operands.input, shape), output=_output(like, shape)
        ),
        forward=verdict,
        gradients=_gradients(like, verdict),
        values=Values(),
        time=run.time + run.seconds * place / max(len(run.like) - 1, 1),
        matches=[],
    )


def _gradients(like: Call, verdict: Verdict) -> Gradients:
    """Of a call that autograd follows: whether a backward has reached it is not known."""
    if like.operands.output is None or not like.operands.output.requires_grad:
        return Gradients()
    return Gradients(verdict, None if like.operands.bias is None else verdict, verdict)


def _output(like: Call, shape: list[int]) -> Operand | None:
    input, output = like.operands.input, like.operands.output
    if input is None or output is None:
        return output
    return _resized(output, shape[:-1] + output.shape[len(input.shape) - 1 :])


def _resized(operand: Operand | None, shape: list[int]) -> Operand | None:
    return operand if operand is None or operand.shape == shape else msgspec.structs.replace(operand, shape=shape)


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
