"""Keeps the newest event of every entity in a bounded ring, and deals them out in pages."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from itertools import takewhile

import msgspec

from torchtwin.protocol import PROTOCOL, Call, Cleared, Envelope, Event, Page

MAX_CALLS = 10_000


class Recorder:
    """The events of one session. Safe to use from several threads."""

    def __init__(self, session: str, max_calls: int = MAX_CALLS) -> None:
        self.session = session
        self._max_calls = max_calls
        self._lock = threading.RLock()
        self._seq = 0
        self._recorded = 0
        self._dropped = 0
        self._last_id = 0
        self._calls: dict[int, Call] = {}  # oldest first
        self._events: dict[Hashable, tuple[int, Event]] = {}  # in the order of seq
        self._listener: Callable[[], None] = lambda: None

    def forked(self) -> None:
        """In the child of a fork: the parent's threads, which may hold the lock or listen, do not exist here."""
        self._lock = threading.RLock()
        self._listener = lambda: None

    def listen(self, listener: Callable[[], None]) -> None:
        """Calls `listener` whenever there is something new. It must be quick."""
        self._listener = listener

    def next_id(self) -> int:
        """The id of a new call."""
        with self._lock:
            self._last_id += 1
            return self._last_id

    @property
    def counts(self) -> tuple[int, int]:
        """Calls recorded since the start or the last clear, and how many of them fell off."""
        with self._lock:
            return self._recorded, self._dropped

    def calls(self) -> list[Call]:
        """Oldest first."""
        with self._lock:
            return sorted(self._calls.values(), key=lambda call: call.id)

    def call(self, id: int) -> Call | None:
        with self._lock:
            return self._calls.get(id)

    def add(self, call: Call) -> None:
        """A new call; the oldest falls off a full ring."""
        with self._lock:
            self._recorded += 1
            self._calls[call.id] = call
            self._put(("call", call.id), call)
            if len(self._calls) > self._max_calls:
                self._drop_oldest()
        self._listener()

    def update(self, id: int, change: Callable[[Call], Call]) -> None:
        """Replaces a call by what `change` makes of it. A call that is gone stays gone."""
        with self._lock:
            call = self._calls.get(id)
            if call is None:
                return
            self._calls[id] = change(call)
            self._put(("call", id), self._calls[id])
        self._listener()

    def say(self, event: Event) -> None:
        """An event of which only the newest counts: the state, the tensors."""
        with self._lock:
            known = self._events.get(type(event))
            if known is not None and known[1] == event:
                return
            self._put(type(event), event)
        self._listener()

    def clear(self) -> None:
        """Drops all calls. Their ids are not used again."""
        with self._lock:
            self._events = {key: entry for key, entry in self._events.items() if not isinstance(entry[1], Call)}
            self._calls.clear()
            self._recorded = self._dropped = 0
            self._put(Cleared, Cleared(self._last_id))
        self._listener()

    def page(self, after: int, limit: int) -> Page:
        """What happened after `after`, at most `limit` events of it."""
        with self._lock:
            newest_first = takewhile(lambda entry: entry[0] > after, reversed(self._events.values()))
            events = list(newest_first)[::-1]
            shown = events[:limit]
            upto = shown[-1][0] if len(shown) < len(events) else self._seq
            envelopes = [Envelope(PROTOCOL, self.session, seq, event) for seq, event in shown]
            return Page(PROTOCOL, self.session, min(after, upto), upto, self._seq, envelopes)

    def _drop_oldest(self) -> None:
        oldest = next(iter(self._calls))
        self._dropped += 1
        self._calls.pop(oldest)
        self._events.pop(("call", oldest), None)  # an interrupt may have come before it was put there

    def _put(self, key: Hashable, event: Event) -> None:
        self._seq += 1
        self._events.pop(key, None)  # so that the order of the dict stays that of seq
        self._events[key] = (self._seq, event)


def plain(call: Call) -> dict[str, object]:
    """A call as a JSON-able dict, as `torchtwin.records()` gives it."""
    record: dict[str, object] = msgspec.to_builtins(call)
    return record
