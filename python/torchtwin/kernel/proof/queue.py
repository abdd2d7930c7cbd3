"""Verdicts that are still to come: of excerpts, judged many at once, and of a device that works on its own."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

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


class _Silent(NamedTuple):
    call: int
    operand: str
    probe: Silent
    since: float
    """By the monotonic clock, in seconds."""


class Queue:
    """Verdicts on operands of calls, oldest first. Safe to use from several threads."""

    def __init__(self, tell: Callable[[int, str, Verdict], None]) -> None:
        """`tell` takes the call's id, the operand and its verdict."""
        self._tell = tell
        self._pending: deque[tuple[int, str, Pending]] = deque()
        self._silent: deque[_Silent] = deque()
        self._elements = 0
        self._lock = threading.RLock()

    def add(self, call: int, operand: str, to_come: Pending | Silent) -> None:
        if isinstance(to_come, Silent):
            self._silent.append(_Silent(call, operand, to_come, time.monotonic()))
            self._elements += to_come.excerpt.elements
            if self._elements > MAX_ELEMENTS:
                self.settle(wait=False)
            return
        self._pending.append((call, operand, to_come))
        if len(self._pending) > MAX_PENDING:
            self._give_up("too many verdicts wait for the device")
        self.settle(wait=False)

    def settle(self, wait: bool) -> None:
        """Tells verdicts: all of them, if need be after a `wait` for a device, or those that are due."""
        if not self._lock.acquire(blocking=wait):
            return
        try:
            if wait or self._is_due():
                self._conclude()
            while self._pending and (wait or self._pending[0][2].ready()):
                call, operand, arrived = self._pending.popleft()
                self._tell(call, operand, arrived.verdict())
        finally:
            self._lock.release()

    def conclude(self) -> None:
        """Tells the verdicts on excerpts, without a wait for others."""
        with self._lock:
            self._conclude()

    def _is_due(self) -> bool:
        """Whether enough excerpts have come together, or one has waited for long enough."""
        is_old = bool(self._silent) and time.monotonic() - self._silent[0].since > PATIENCE
        return is_old or self._elements > MAX_ELEMENTS

    def _conclude(self) -> None:
        waiting = deque(self._silent.popleft() for _ in range(len(self._silent)))
        self._elements = 0
        try:
            for verdict in concluded([it.probe for it in waiting]):
                self._tell(waiting[0].call, waiting[0].operand, verdict)
                waiting.popleft()
        except Exception:
            for it in waiting:
                self._tell(it.call, it.operand, unchecked("an internal error of Torchtwin"))
            raise
        except BaseException:  # the user has interrupted us
            self._silent.extendleft(reversed(waiting))
            raise

    def drop(self) -> None:
        """Gives all of them up."""
        self._silent.clear()
        self._elements = 0
        while self._pending:
            self._pending.popleft()[2].drop()

    def forked(self) -> None:
        """In the child of a fork, where no device answers, and a thread of the parent's may have held the lock."""
        self._lock = threading.RLock()
        while self._pending:
            self._give_up("the process was forked before the device had answered")

    def _give_up(self, reason: str) -> None:
        """The oldest of a device."""
        call, operand, unanswered = self._pending.popleft()
        unanswered.drop()
        self._tell(call, operand, unchecked(reason))
