"""One thread carries the pages out of the kernel, at most ten a second, so that the user's own output is never dropped.

A chattier kernel hits the server's message rate limit, which then swallows what the user prints.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from torchtwin.kernel.guard import Guard
from torchtwin.kernel.recorder import Recorder
from torchtwin.kernel.threads import Worker
from torchtwin.protocol import Page

INTERVAL = 0.1
"""Seconds between two pages."""
MAX_EVENTS = 2000
"""In one page."""


class Flush(Worker):
    """Sends what is new in `recorder` by `send`, until stopped."""

    name = "torchtwin-flush"

    def __init__(
        self,
        recorder: Recorder,
        send: Callable[[Page], None],
        guard: Guard,
        charged: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """`charged` is entered while the thread works."""
        super().__init__()
        self._recorder = recorder
        self._send = send
        self._guard = guard
        self._charged = charged
        self._sent = 0
        self._news = threading.Event()

    def begin(self) -> None:
        self._recorder.listen(self._news.set)
        self.start()

    def end(self) -> None:
        """Stops, and sends what is left."""
        self._recorder.listen(lambda: None)
        self.stop()
        if self.has_ended(patience=5):
            while self._send_page():
                pass

    def _wake(self) -> None:
        self._news.set()

    def _work(self, stopped: threading.Event) -> None:
        self._news.set()
        while not stopped.is_set():
            self._news.wait()
            self._news.clear()
            while not stopped.is_set() and self._send_page() and not stopped.wait(INTERVAL):
                pass
            stopped.wait(INTERVAL)

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
