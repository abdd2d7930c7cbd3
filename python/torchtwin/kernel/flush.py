"""One thread carries the pages out of the kernel, at most ten a second, so that the user's own output is never dropped.

A chattier kernel hits the server's message rate limit, which then swallows what the user prints.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from torchtwin.kernel.guard import Guard
from torchtwin.kernel.recorder import Recorder
from torchtwin.protocol import Page

INTERVAL = 0.1
"""Seconds between two pages."""
MAX_EVENTS = 2000
"""In one page."""


class Flush:
    """Sends what is new in `recorder` by `send`, until stopped."""

    def __init__(
        self,
        recorder: Recorder,
        send: Callable[[Page], None],
        guard: Guard,
        charged: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """`charged` is entered while the thread works."""
        self._recorder = recorder
        self._send = send
        self._guard = guard
        self._charged = charged
        self._sent = 0
        self._news = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="torchtwin-flush", daemon=True)
        # debugpy suspends every thread at a breakpoint but those that are marked like its own.
        self._thread.pydev_do_not_trace = True  # type: ignore[attr-defined]
        self._thread.is_pydev_daemon_thread = True  # type: ignore[attr-defined]

    def start(self) -> None:
        self._recorder.listen(self._news.set)
        self._news.set()
        self._thread.start()

    def stop(self) -> None:
        """Sends what is left and ends the thread."""
        self._recorder.listen(lambda: None)
        self._stopped.set()
        self._news.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._news.wait()
            self._news.clear()
            while self._send_page() and not self._stopped.wait(INTERVAL):
                pass
            self._stopped.wait(INTERVAL)
        while self._send_page():
            pass

    def _send_page(self) -> bool:
        """Whether there is more to send. After a fault of ours the next news is sent, with what is missing."""
        with self._charged():
            return self._send_next()

    def _send_next(self) -> bool:
        try:
            page = self._recorder.page(self._sent, MAX_EVENTS)
        except Exception as error:
            self._guard.caught(error)
            return False
        if page.upto == self._sent:
            return False
        self._sent = page.upto
        self._guard(self._send)(page)
        return page.upto < page.latest
