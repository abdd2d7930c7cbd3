"""A bound on the time that code of the user's may take in a thread that a debugger has stopped."""

from __future__ import annotations

import ctypes
import threading
from types import TracebackType


class GivenUp(BaseException):
    """Raised in the thread whose time is over, as an interrupt is: no `except Exception` of the user's takes it."""


class Limit:
    """As a context manager: raises `GivenUp` in the thread that entered, once Python code runs there after the time.

    The thread that waits is none that a debugger stops along with the others.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._thread = threading.get_ident()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._has_raised = False

    def __enter__(self) -> Limit:
        watch = threading.Thread(target=self._wait, name="torchtwin-limit", daemon=True)
        watch.pydev_do_not_trace = True  # type: ignore[attr-defined]
        watch.is_pydev_daemon_thread = True  # type: ignore[attr-defined]
        watch.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        with self._lock:
            if self._has_raised and not isinstance(error, GivenUp):
                _raise_in(self._thread, None)  # it has not arrived yet, and must not any more

    def _wait(self) -> None:
        if self._over.wait(self._seconds):
            return
        with self._lock:
            if not self._over.is_set():
                self._has_raised = True
                _raise_in(self._thread, GivenUp)


def _raise_in(thread: int, error: type[BaseException] | None) -> None:
    what = None if error is None else ctypes.py_object(error)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), what)
