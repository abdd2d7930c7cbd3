"""How much of the user's running time the watch takes, and how much it may take."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator
from typing import ParamSpec, TypeVar

from torchtwin.protocol import Cost

P = ParamSpec("P")
R = TypeVar("R")

SHARE = 0.03
"""Of the running time, unless the user says otherwise."""
ADVANCE = 0.05
"""Seconds that a cell may use before it has run for long enough to pay for them: less than a person notices."""
SAVED = 0.25
"""Seconds that may be saved up, so that who did something else for hours is not slowed down at once after."""
LEAST_TOLD = 1e-3
"""Seconds that a cell must take from the user to be told in place of the one before: a question takes a little, too."""
PER_CALL = 1.6e-6
"""Seconds that a call takes that is only counted (benchmarks/overhead.py)."""


class Budget:
    """Of the cell that runs or ran last; outside a notebook, of all since the watch began.

    What is counted is the time of our own work in the user's threads and that of our threads on the processor, since
    either keeps the user's code waiting. Calls that are only counted are told in the cost, and leave no debt: they
    could not be made cheaper by checking fewer.
    """

    def __init__(self, share: float = SHARE, clock: Callable[[], float] = time.perf_counter) -> None:
        self._share = share
        self._clock = clock
        self._told = Cost(0.0, 0.0)
        """What `cost` tells until something is spent in the present cell."""
        self._ran = self._spent = self._forfeited = 0.0
        self._counted = 0
        self._since: float | None = None

    @property
    def share(self) -> float:
        return self._share

    @share.setter
    def share(self, share: float) -> None:
        """What was left or owed under another share stays so."""
        left, self._share = self.left(), share
        self._forfeited = self._allowed() - self._spent - left

    def forgive(self) -> None:
        """Another mode begins, in which nothing is owed that was spent in the last."""
        self._forfeited += min(self.left(), 0.0)

    def begins(self) -> None:
        """A cell is about to run."""
        self._told = self.cost()
        self._ran = self._spent = self._forfeited = 0.0
        self._counted = 0
        self._since = self._clock()

    def stops(self) -> None:
        """The user's time stands still: the cell has ended, or the watch. Harmless when it does already."""
        self._ran = self._elapsed()
        self._since = None

    def goes_on(self) -> None:
        """Harmless when it goes already."""
        if self._since is None:
            self._since = self._clock()

    def charge(self, seconds: float) -> None:
        self._spent += seconds

    def charge_once(self, seconds: float) -> None:
        """For what is never done again: it is told in the cost, and leaves no debt."""
        self._spent += seconds
        self._forfeited -= seconds

    def count(self, calls: int) -> None:
        """So many calls were only counted."""
        self._counted += calls

    @contextlib.contextmanager
    def thread(self) -> Iterator[None]:
        """Charges what the present thread, one of ours, works meanwhile."""
        began = time.thread_time()
        try:
            yield
        finally:
            self.charge(time.thread_time() - began)

    def charged(self, function: Callable[P, R]) -> Callable[P, R]:
        """`function`, charged with the time that it takes."""

        @functools.wraps(function)
        def timed(*args: P.args, **kwargs: P.kwargs) -> R:
            began = self._clock()
            try:
                return function(*args, **kwargs)
            finally:
                self._spent += self._clock() - began

        return timed

    def left(self) -> float:
        """Seconds that may still be spent; negative where more was spent already."""
        left = self._allowed() - self._spent - self._forfeited
        if left > SAVED:
            self._forfeited += left - SAVED
        return min(left, SAVED)

    def cost(self) -> Cost:
        """Of the last cell in which anything was spent, which may be the present one."""
        counted = self._counted * PER_CALL
        cost = Cost(spent=round(self._spent + counted, 4), running=round(max(self._running() - counted, 0.0), 2))
        return cost if cost.spent >= LEAST_TOLD or not self._told.spent else self._told

    def _allowed(self) -> float:
        return max(ADVANCE, self._share * self._running())

    def _running(self) -> float:
        return max(self._elapsed() - self._spent, 0.0)

    def _elapsed(self) -> float:
        return self._ran if self._since is None else self._ran + self._clock() - self._since
