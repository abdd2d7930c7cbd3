"""What a kernel sends, by a connection of our own: nbclient passes on only what a cell has sent."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from queue import Empty
from typing import Any

import msgspec

from torchtwin.protocol import COMM_ID, PROTOCOL, Call, Page, State

PATIENCE = 20.0
"""Seconds that the last records are waited for at most."""
INCOMPLETE = "not all records arrived, so nothing can be said of the others"


class UnheardError(Exception):
    """What was sent is not what can be understood, or not all of it."""


@dataclass
class Heard:
    """What has arrived, of one session."""

    calls: dict[int, Call] = field(default_factory=dict)
    """As they were known at last, by id."""
    state: State | None = None
    missing: str | None = INCOMPLETE
    """Why nothing can be said of what else was sent; null once all of it is known to be here."""
    _session: str | None = None
    _upto: int = 0
    _latest: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether nothing more is to come: what a watch tells last is that it has ended."""
        return self.state is not None and not self.state.watching and self._upto == self._latest

    def take(self, data: Any) -> None:
        """A message of ours. Raises `UnheardError` where it is of another version, or one before it is missing."""
        if (protocol := data.get("protocol")) != PROTOCOL:
            raise UnheardError(f"the kernel's torchtwin speaks protocol {protocol}, and this one {PROTOCOL}")
        page = msgspec.convert(data, Page)
        if page.after > self._upto or page.session != (self._session or page.session):
            raise UnheardError(INCOMPLETE)
        self._session, self._upto, self._latest = page.session, page.upto, page.latest
        for envelope in page.envelopes:
            if isinstance(envelope.event, Call):
                self.calls[envelope.event.id] = envelope.event
            elif isinstance(envelope.event, State):
                self.state = envelope.event


class Listener:
    """A thread that takes what these `ears` hear."""

    def __init__(self, ears: Any, heard: Heard) -> None:
        self.is_reached = threading.Event()
        """Set once anything was heard."""
        self._ears = ears
        self._heard = heard
        self._answered: set[str] = set()
        """Requests that the kernel has done with."""
        self._last: str | None = None
        self._until = float("inf")
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def begin(self) -> None:
        self._thread.start()

    def end(self, last: str | None) -> None:
        """Once all was heard that the kernel sent before it had done with the request `last`; null: at once."""
        self._last = last
        self._until = time.monotonic() + (0 if last is None else PATIENCE)
        self._thread.join(PATIENCE + 5)

    def _listen(self) -> None:
        try:
            while time.monotonic() < self._until and self._last not in self._answered:
                self._hear()
        except UnheardError as error:
            self._heard.missing = str(error)
        except Exception as error:  # of the connection, or of a message of any other kind
            self._heard.missing = f"what the kernel sends can't be heard: {type(error).__name__}: {error}"
        else:
            if self._last in self._answered and self._heard.is_whole:
                self._heard.missing = None

    def _hear(self) -> None:
        try:
            message = self._ears.get_iopub_msg(timeout=0.2)
        except Empty:
            return
        self.is_reached.set()
        content = message["content"]
        if message["msg_type"] == "comm_msg" and content.get("comm_id") == COMM_ID:
            self._heard.take(content["data"])
        elif message["msg_type"] == "status" and content.get("execution_state") == "idle":
            self._answered.add(message["parent_header"].get("msg_id", ""))
