"""A thread that beats while the user's code runs, to count the calls that are pending and let the next be checked."""

from __future__ import annotations

import threading
from collections.abc import Callable

INTERVAL = 0.05
"""Seconds between two beats."""


class Pulse:
    """Calls `beat`, which must not raise, from `start` to `stop`."""

    def __init__(self, beat: Callable[[], None]) -> None:
        self._beat = beat
        self._lock = threading.Lock()
        self._stopped: threading.Event | None = None
        self._is_forked = False

    def start(self) -> bool:
        """Harmless when it beats already. Returns whether it does; in the child of a fork it never will."""
        with self._lock:
            if self._stopped is not None or self._is_forked:
                return not self._is_forked
            self._stopped = threading.Event()
            thread = threading.Thread(target=self._run, args=[self._stopped], name="torchtwin-pulse", daemon=True)
            # debugpy suspends every thread at a breakpoint but those that are marked like its own.
            thread.pydev_do_not_trace = True  # type: ignore[attr-defined]
            thread.is_pydev_daemon_thread = True  # type: ignore[attr-defined]
            thread.start()
            return True

    def stop(self) -> None:
        """Harmless when it does not beat."""
        with self._lock:
            if self._stopped is not None:
                self._stopped.set()
                self._stopped = None

    def forked(self) -> None:
        """In the child of a fork, which gets no thread: it may be anything, and end at any time."""
        self._lock = threading.Lock()
        self._stopped = None
        self._is_forked = True

    def _run(self, stopped: threading.Event) -> None:
        while not stopped.wait(INTERVAL):
            self._beat()
