"""One thread that reads what was heard: large pages are verified and decoded off the event loop."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
from jupyter_client.session import Session

from torchtwin.server.backlog import Backlog
from torchtwin.server.heard import Heard, Unfit, heard

EACH, TOTAL = 64_000_000, 128_000_000
"""Bytes that may wait to be read: of a kernel, and of all. A page of a cell with many elements takes some millions."""


@dataclass(frozen=True, slots=True)
class Frames:
    """A message as it came, and the session that verifies it: only this thread may use that."""

    kernel: str
    session: Session
    parts: list[bytes]


class Intake:
    def __init__(self, deliver: Callable[[Heard], None], log: logging.Logger) -> None:
        """Calls `deliver` with each page, in this thread."""
        self.refused = 0
        self.unknown = 0
        self._deliver = deliver
        self._log = log
        self._backlog: Backlog[Frames | None] = Backlog(EACH, TOTAL)
        self._thread = threading.Thread(target=self._run, name="torchtwin-intake", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._backlog.put("", None, 0)
        self._thread.join(5)

    def put(self, frames: Frames) -> None:
        if not self._backlog.put(frames.kernel, frames, sum(map(len, frames.parts))):
            self.refuse("they came faster than they could be read")

    def refuse(self, reason: str) -> None:
        if not self.refused:
            self._log.warning("torchtwin: messages of a kernel were not taken: %s", reason)
        self.refused += 1

    def _run(self) -> None:
        while True:
            for frames in self._backlog.take(50, timeout=3600):
                if frames is None:
                    return
                self._read(frames)

    def _read(self, frames: Frames) -> None:
        try:
            content = _content(frames)
            page = None if content is None else heard(frames.kernel, content)
        except Exception as error:  # whatever a kernel sends
            self.refuse(str(error) if isinstance(error, Unfit) else repr(error))
            return
        if page is not None:
            self.unknown += page.unknown
            try:
                self._deliver(page)
            except Exception:  # the thread must go on
                self._log.exception("torchtwin: a page could not be passed on")


def _content(frames: Frames) -> bytes | None:
    """The content as JSON. None if it is no comm message. Raises what `Session` raises for a wrong signature."""
    _, parts = frames.session.feed_identities(frames.parts)
    message = frames.session.deserialize(parts, content=False)
    if message["header"]["msg_type"] != "comm_msg":
        return None
    if frames.session.packer in ("json", "orjson"):
        return bytes(message["content"])
    return msgspec.json.encode(frames.session.unpack(message["content"]))
