"""A thread that beats while the user's code runs, to count the calls that are pending and let the next be checked."""

from __future__ import annotations

import threading
from collections.abc import Callable

from torchtwin.kernel.threads import Worker

INTERVAL = 0.05
"""Seconds between two beats."""


class Pulse(Worker):
    """Calls `beat`, which must not raise, from `start` to `stop`."""

    name = "torchtwin-pulse"

    def __init__(self, beat: Callable[[], None]) -> None:
        super().__init__()
        self._beat = beat

    def _work(self, stopped: threading.Event) -> None:
        while not stopped.wait(INTERVAL):
            self._beat()
