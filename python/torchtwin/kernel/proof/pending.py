"""A verdict whose arithmetic is queued on a device: a few numbers travel to the host behind it, and are read later.

To read a number at once would make the host wait for all that the user has queued.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from torchtwin.kernel.identity import mark
from torchtwin.kernel.proof.judge import unchecked
from torchtwin.protocol import Verdict

MAX_PENDING = 4096
"""Verdicts that wait; of more, the oldest are given up."""
ON_ITS_WAY = "the verdict is on its way from the device"
"""The reason that is told until then."""
MAX_HELD = 2**24
"""Elements of operands that wait for a closer look, of all verdicts that are pending."""


class _Held:
    """How many elements wait; backward runs in threads of its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._elements = 0

    def take(self, elements: int) -> bool:
        with self._lock:
            fits = self._elements + elements <= MAX_HELD
            self._elements += elements if fits else 0
            return fits

    def give_back(self, elements: int) -> None:
        with self._lock:
            self._elements -= elements


_held = _Held()


class Pending:
    """Reads nothing before `verdict`."""

    def __init__(
        self,
        facts: Tensor,
        usual: Callable[[list[float]], Verdict | None],
        closer: Callable[[], Verdict],
        operands: Sequence[Tensor],
    ) -> None:
        """`usual` makes the verdict of the numbers alone; where it can't, `closer` computes with the operands again."""
        self._usual = usual
        self._elements = sum(it.numel() for it in operands)
        fits = _held.take(self._elements)
        self._closer = closer if fits else None
        self._marks = [(it, mark(it)) for it in operands] if fits else []
        self._elements = self._elements if fits else 0
        self._event: torch.cuda.Event | None = None
        self._facts = facts
        if facts.is_cuda:
            self._facts = torch.empty(facts.shape, dtype=facts.dtype, pin_memory=True)
            self._facts.copy_(facts, non_blocking=True)
            self._event = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._event.record()

    def ready(self) -> bool:
        """Whether `verdict` would not wait."""
        return self._event is None or bool(self._event.query())  # type: ignore[no-untyped-call]

    def verdict(self) -> Verdict:
        """Waits for the device. Lets go of the operands."""
        try:
            if self._event is not None:
                self._event.synchronize()
            return self._usual(self._facts.tolist()) or self._looked_at()
        finally:
            self.drop()

    def drop(self) -> None:
        """Lets go of the operands; a closer look is not possible any more."""
        _held.give_back(self._elements)
        self._elements, self._marks, self._closer = 0, [], None

    def _looked_at(self) -> Verdict:
        if self._closer is None:
            return unchecked("something lies outside what rounding usually does, and too many operands wait to be seen")
        if any(mark(it) != then for it, then in self._marks):
            return unchecked(
                "something lies outside what rounding usually does, and an operand was changed in place since"
            )
        return self._closer()


class Queue:
    """Verdicts that are pending, each on an operand of a call, oldest first."""

    def __init__(self, tell: Callable[[int, str, Verdict], None]) -> None:
        """`tell` takes the call's id, the operand and its verdict."""
        self._tell = tell
        self._pending: deque[tuple[int, str, Pending]] = deque()
        self._lock = threading.RLock()

    def add(self, call: int, operand: str, pending: Pending) -> None:
        self._pending.append((call, operand, pending))
        if len(self._pending) > MAX_PENDING:
            self._pending.popleft()[2].drop()

    def settle(self, wait: bool) -> None:
        """Tells the verdicts. `wait`: for all, else those that are ready."""
        while (arrived := self._next(wait)) is not None:
            call, operand, pending = arrived
            self._tell(call, operand, pending.verdict())

    def _next(self, wait: bool) -> tuple[int, str, Pending] | None:
        with self._lock:
            return self._pending.popleft() if self._pending and (wait or self._pending[0][2].ready()) else None

    def drop(self) -> None:
        """Gives all of them up."""
        self._lock = threading.RLock()  # in the child of a fork a thread of the parent's may have held it
        while self._pending:
            self._pending.popleft()[2].drop()
