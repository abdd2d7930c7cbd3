"""Verdicts that are still to come: of excerpts, judged many at once, and of a device that works on its own."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from torchtwin.kernel.proof import pending
from torchtwin.kernel.proof.excerpt import Excerpt
from torchtwin.kernel.proof.judge import unchecked
from torchtwin.kernel.proof.pending import Pending
from torchtwin.kernel.proof.probe import Silent, concluded
from torchtwin.protocol import Verdict

MAX_PENDING = 4096
"""Verdicts of a device that wait; of more, the oldest are given up."""
MAX_ELEMENTS = 2**19
"""Of excerpts that wait; more are judged at once."""
PATIENCE = 0.25
"""Seconds that an excerpt waits for others: so much later than the call does a person see its verdict."""
TO_COME = "the verdict is on its way"
"""The reason that is told until then."""
_FAULT = "an internal error of Torchtwin"
_OTHER_SETTINGS = "what torch does with subnormal numbers, or its matmul precision, was changed before this was judged"


class _Waiting(NamedTuple):
    call: int
    operand: str
    to_come: Pending | Silent
    since: float
    """By the monotonic clock, in seconds."""


class Queue:
    """Verdicts on operands of calls, oldest first. Safe to use from several threads.

    The lock is taken by `with` alone, which an interrupt can't come in between.
    """

    def __init__(self, tell: Callable[[int, str, Verdict], None]) -> None:
        """`tell` takes the call's id, the operand and its verdict."""
        self._tell_outside = tell
        self._newest: dict[tuple[int, str], _Waiting | None] = {}
        """What an operand's verdict is awaited from: several backward passes may have gone through one call."""
        self._pending: deque[_Waiting] = deque()
        self._silent: deque[_Waiting] = deque()
        self._elements = 0
        self._lock = threading.RLock()

    def expect(self, call: int, operand: str) -> None:
        """It is about to be told that a verdict is on its way, which is added then if no interrupt comes."""
        self._newest[call, operand] = None

    def add(self, call: int, operand: str, to_come: Pending | Silent) -> None:
        """The verdict on an operand is still to come; one that is awaited already is not told any more."""
        waiting = _Waiting(call, operand, to_come, time.monotonic())
        self._newest[call, operand] = waiting
        if isinstance(to_come, Silent):
            self._silent.append(waiting)
            self._elements += to_come.excerpt.elements
            if self._elements <= MAX_ELEMENTS:
                return
        else:
            self._pending.append(waiting)
            if len(self._pending) > MAX_PENDING:
                with self._lock:
                    self._give_up("too many verdicts wait for the device")
        self.settle(wait=False)

    def overtake(self, call: int, operand: str) -> None:
        """A newer verdict has been told: one that is awaited is not told any more."""
        self._newest.pop((call, operand), None)

    def settle(self, wait: bool) -> None:
        """Tells verdicts: all of them, if need be after a `wait` for a device, or those that are due."""
        with self._lock:
            if wait or self._is_due():
                self._conclude(all_of_them=wait)
            while self._pending and (wait or self._pending[0].to_come.ready()):  # type: ignore[union-attr]
                waiting = self._pending.popleft()
                assert isinstance(waiting.to_come, Pending)
                self._tell(waiting, waiting.to_come.verdict())
            if wait:
                self._tell_of_interrupted()

    def conclude(self) -> None:
        """Tells the verdicts on excerpts, without a wait for others."""
        with self._lock:
            self._conclude(all_of_them=True)

    def _is_due(self) -> bool:
        """Whether enough excerpts have come together, or one has waited for long enough."""
        is_old = bool(self._silent) and time.monotonic() - self._silent[0].since > PATIENCE
        return is_old or self._elements > MAX_ELEMENTS

    def _conclude(self, all_of_them: bool) -> None:
        """Those that can be judged in this thread, as it may have other settings than the one that made the call.

        Nothing is taken away before it is told, so an interrupt loses none.
        """
        taken = list(self._silent)
        here = [it for it in taken if _excerpt(it).can_be_judged_here()]
        told: dict[int, Verdict] = dict.fromkeys(map(id, taken), unchecked(_OTHER_SETTINGS)) if all_of_them else {}
        fault = None
        try:
            verdicts = concluded([it.to_come for it in here if isinstance(it.to_come, Silent)])
            told |= zip(map(id, here), verdicts, strict=True)
        except Exception as error:
            fault, told = error, told | dict.fromkeys(map(id, here), unchecked(_FAULT))
        for it in taken:
            if id(it) in told:
                self._tell(it, told[id(it)])
        self._silent.extend(it for it in taken if id(it) not in told)
        for _ in taken:
            self._silent.popleft()
        self._elements = sum(_excerpt(it).elements for it in list(self._silent))
        if fault is not None:
            raise fault

    def _tell(self, waiting: _Waiting, verdict: Verdict) -> None:
        key = waiting.call, waiting.operand
        if self._newest.get(key) is waiting:
            self._tell_outside(waiting.call, waiting.operand, verdict)
            self._newest.pop(key, None)

    def _tell_of_interrupted(self) -> None:
        for (call, operand), waiting in list(self._newest.items()):
            if waiting is None:
                self._tell_outside(call, operand, unchecked("an interrupt came before it was checked"))
                self._newest.pop((call, operand), None)

    def end(self, reason: str) -> None:
        """Tells the verdicts on excerpts, and the reason where a device would have to be waited for."""
        with self._lock:
            self._conclude(all_of_them=True)
            while self._pending:
                self._give_up(reason)
            self._tell_of_interrupted()

    def _give_up(self, reason: str) -> None:
        """The oldest of a device."""
        oldest = self._pending.popleft()
        assert isinstance(oldest.to_come, Pending)
        oldest.to_come.drop()
        self._tell(oldest, unchecked(reason))

    def forked(self) -> None:
        """In the child of a fork, where no device answers, and a thread of the parent's may have held the lock."""
        self._lock = threading.RLock()
        pending.forked()
        while self._pending:
            self._give_up("the process was forked before the device had answered")


def _excerpt(waiting: _Waiting) -> Excerpt:
    assert isinstance(waiting.to_come, Silent)
    return waiting.to_come.excerpt
