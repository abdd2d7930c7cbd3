"""Invariant 1: no exception of ours reaches the user's code. It is counted, and the first is kept for the report."""

from __future__ import annotations

import functools
import threading
import traceback
from collections.abc import Callable
from typing import ParamSpec

from torchtwin.protocol import InternalErrors

P = ParamSpec("P")


def _described(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(error))
    except Exception:  # at the recursion limit there is no room to format anything
        return type(error).__name__


class Guard:
    """Counts the faults of ours that it keeps away from the user."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._first = ""

    def forked(self) -> None:
        """In the child of a fork: a thread of the parent's may have held the lock."""
        self._lock = threading.Lock()

    def caught(self, error: BaseException) -> None:
        """Counts `error` and keeps the traceback of the first one."""
        with self._lock:
            self._count += 1
            if self._count == 1:
                self._first = _described(error)

    def report(self) -> InternalErrors | None:
        """What happened so far; null when nothing did."""
        with self._lock:
            return InternalErrors(self._count, self._first) if self._count else None

    def __call__(self, function: Callable[P, object]) -> Callable[P, None]:
        """Wraps a procedure of ours that the user's code runs through."""

        @functools.wraps(function)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
            try:
                function(*args, **kwargs)
            except Exception as error:
                self.caught(error)

        return guarded


class ChargingGuard(Guard):
    """Another guard's, which also charges what it wraps to a budget."""

    def __init__(self, guard: Guard, charged: Callable[[Callable[..., object]], Callable[..., object]]) -> None:
        self._guard = guard
        self._charged = charged

    def forked(self) -> None:
        self._guard.forked()

    def caught(self, error: BaseException) -> None:
        self._guard.caught(error)

    def report(self) -> InternalErrors | None:
        return self._guard.report()

    def __call__(self, function: Callable[P, object]) -> Callable[P, None]:
        return self._guard(self._charged(function))
