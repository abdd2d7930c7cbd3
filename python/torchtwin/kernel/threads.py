"""Our threads: none keeps the process alive, stops at a breakpoint, or is there in the moment of a fork."""

from __future__ import annotations

import threading

PATIENCE = 1.0
"""Seconds that a fork waits for one of them at most."""


class Worker:
    """One thread, which does `_work` from `start` to `stop`."""

    name = "torchtwin"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stopped: threading.Event | None = None
        self._thread: threading.Thread | None = None
        self._pauses = 0
        self._runs_after = False

    def _work(self, stopped: threading.Event) -> None:
        """Until `stopped` is set."""
        raise NotImplementedError

    def _wake(self) -> None:
        """Called once `stopped` is set, for a thread that waits for something else."""

    def start(self) -> bool:
        """Harmless when it runs already. Returns whether it does: a process may have as many threads as it can have."""
        with self._lock:
            if self._stopped is not None:
                return True
            stopped = threading.Event()
            thread = threading.Thread(target=self._work, args=[stopped], name=self.name, daemon=True)
            # debugpy suspends every thread at a breakpoint but those that are marked like its own.
            thread.pydev_do_not_trace = True  # type: ignore[attr-defined]
            thread.is_pydev_daemon_thread = True  # type: ignore[attr-defined]
            try:
                thread.start()
            except RuntimeError:
                return False
            self._stopped, self._thread = stopped, thread
            return True

    def stop(self) -> None:
        """Harmless when it does not run. The thread may be at its last piece of work yet."""
        with self._lock:
            if self._stopped is not None:
                self._stopped.set()
                self._stopped = None
                self._wake()

    def pause(self) -> None:
        """Until `resume` there is no thread, not even one that was stopped and is at its last piece of work."""
        self._pauses += 1  # several threads of the user's may fork at once
        self._runs_after = self._runs_after or self._stopped is not None
        self.stop()
        self.has_ended(PATIENCE)

    def resume(self) -> None:
        """Runs again if it did before the pause."""
        self._pauses -= 1
        if self._runs_after and not self._pauses:
            self._runs_after = False
            self.start()

    def forked(self) -> None:
        """In the child of a fork, where none of the parent's threads is: one of them may have held the lock."""
        self._lock = threading.Lock()
        self._stopped = self._thread = None
        self._pauses, self._runs_after = 0, False

    def has_ended(self, patience: float = 0.0) -> bool:
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(patience)
        return self._thread is None or not self._thread.is_alive()
