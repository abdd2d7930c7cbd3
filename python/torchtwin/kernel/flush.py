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
RETRY = 2.0
"""Seconds until a page that could not be sent is tried again at the earliest."""


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
        self._waits = self._lacks = False
        """Whether a page could not be sent yet, and whether one never was."""
        self._news = threading.Event()

    def begin(self) -> None:
        self._recorder.listen(self._news.set)
        self.start()

    def end(self) -> bool:
        """Stops, and sends what is left. Returns whether all was sent."""
        self._recorder.listen(lambda: None)
        self.stop()
        if not self.has_ended(patience=5):
            return False
        while self._send_page():
            pass
        return not (self._waits or self._lacks)

    def _wake(self) -> None:
        self._news.set()

    def _work(self, stopped: threading.Event) -> None:
        self._news.set()
        while not stopped.is_set():
            self._news.wait()
            self._news.clear()
            while not stopped.is_set() and self._send_page() and not stopped.wait(INTERVAL):
                pass
            stopped.wait(RETRY if self._waits else INTERVAL)

    def _send_page(self) -> bool:
        """Whether there is more to send. What could not be sent comes again with the next news."""
        with self._charged():
            page = self._next_page()
            return page is not None and self._send_one(page) and page.upto < page.latest

    def _next_page(self) -> Page | None:
        try:
            page = self._recorder.page(self._sent, MAX_EVENTS)
        except Exception as error:
            self._guard.caught(error)
            self._waits = True
            return None
        self._waits = False
        return page if page.upto > self._sent else None

    def _send_one(self, page: Page) -> bool:
        try:
            self._send(page)
        except OSError as error:  # a full disk, say, which may have room again
            self._guard.caught(error)
            self._waits = True
            return False
        except Exception as error:  # it would fail each time: whoever receives the next one sees the gap
            self._guard.caught(error)
            self._lacks = True
        self._sent = page.upto
        return True
