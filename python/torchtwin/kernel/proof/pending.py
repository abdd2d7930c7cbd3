"""A verdict whose arithmetic is queued on a device: a few numbers travel to the host behind it, and are read later.

To read a number at once would make the host wait for all that the user has queued.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from torchtwin.kernel.identity import mark
from torchtwin.kernel.proof.judge import unchecked
from torchtwin.protocol import Verdict

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


def forked() -> None:
    """In the child of a fork: a thread of the parent's may have held the lock, and no device answers here."""
    global _held
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
