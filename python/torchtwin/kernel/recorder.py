"""Keeps the newest event of every entity in a bounded ring, and deals them out in pages."""

from __future__ import annotations

import heapq
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from itertools import accumulate, islice, takewhile

import msgspec

from torchtwin.kernel.runs import MAX_IN_RUN, Alike, Runs, runs
from torchtwin.protocol import PROTOCOL, Call, Cleared, Envelope, Event, Page, Run, told_whole

MAX_CALLS = 10_000
"""That are told whole."""
MAX_ALIKE = 200_000
"""That are told in short."""


_EVENTS_IN_RUN = 10
"""As many events a full run counts for in a page: its size on the wire."""


class Recorder:
    """The events of one session. Safe to use from several threads."""

    def __init__(self, session: str, max_calls: int = MAX_CALLS, max_alike: int = MAX_ALIKE) -> None:
        self.session = session
        self.reason = ""
        """Why calls that are told in short are not checked."""
        self.pending: deque[Alike] = deque(maxlen=max_alike)
        """Calls that are like another, not yet counted. To append to it is all that such a call costs."""
        self._max_calls = max_calls
        self._max_alike = max_alike
        self._lock = threading.RLock()
        self._seq = 0
        self._recorded = 0
        self._newly_settled = 0
        self._dropped = 0
        self._last_id = 0
        self._settled = time.time()
        self._calls: dict[int, Call] = {}  # oldest first
        self._runs = Runs()
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
        """The id of a new call, after those that are pending."""
        with self._lock:
            self.settle()
            self._last_id += 1
            return self._last_id

    @property
    def counts(self) -> tuple[int, int]:
        """Calls recorded since the start or the last clear, and how many of them fell off."""
        with self._lock:
            self.settle()
            return self._recorded, self._dropped

    @property
    def alike(self) -> int:
        """How many of the calls that are kept are told in short."""
        with self._lock:
            self.settle()
            return self._runs.calls

    def newly_settled(self) -> int:
        """Counts the calls that are pending. Returns how many were counted, by whomever, since this was asked last."""
        with self._lock:
            self.settle()
            counted, self._newly_settled = self._newly_settled, 0
            return counted

    def calls(self) -> list[Call]:
        """Those that are told whole, oldest first."""
        with self._lock:
            return sorted(self._calls.values(), key=lambda call: call.id)

    def latest(self, count: int) -> list[Call]:
        """The newest `count` calls, oldest first; those told in short, too, as if they were told whole."""
        with self._lock:
            self.settle()
            each = heapq.merge(reversed(self.calls()), self._newest_alike(), key=lambda call: -call.id)
            return [call for call, _ in zip(each, range(count), strict=False)][::-1]

    def call(self, id: int) -> Call | None:
        with self._lock:
            found = self._calls.get(id)
            run = self._runs.with_call(id) if found is None else None
            return found if run is None else self._whole(run, id)

    def keeps(self, id: int) -> bool:
        """Whether that call is here, told whole."""
        return id in self._calls

    def add(self, call: Call) -> int | None:
        """A new call; the oldest falls off a full ring, and its id is returned."""
        with self._lock:
            self._recorded += 1
            self._calls[call.id] = call
            self._put(("call", call.id), call)
            fell_off = self._drop_oldest() if len(self._calls) > self._max_calls else None
        self._listener()
        return fell_off

    def settle(self) -> None:
        """Counts the calls that are pending."""
        with self._lock:
            take = self.pending.popleft
            taken = [take() for _ in range(len(self.pending))]
            began, self._settled = self._settled, time.time()
            if not taken:
                return
            kept = [it for it in taken if it.call in self._calls]  # what they are like may have been cleared meanwhile
            self._last_id += len(taken)
            self._recorded += len(taken)
            self._newly_settled += len(taken)
            self._dropped += len(taken) - len(kept)
            for run in runs(self._last_id - len(kept) + 1, kept, began, self._settled, self.reason):
                self._runs.add(run)
                self._put(("run", run.first), run)
            while self._runs.calls > self._max_alike:
                self._drop_oldest_run()
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
            self.settle()
            self._events = {key: entry for key, entry in self._events.items() if not isinstance(entry[1], Call | Run)}
            self._calls.clear()
            self._runs.clear()
            self._recorded = self._dropped = 0
            self._put(Cleared, Cleared(self._last_id))
        self._listener()

    def page(self, after: int, limit: int) -> Page:
        """What happened after `after`, at most `limit` events of it, as a run of calls counts by its length."""
        with self._lock:
            self.settle()
            newest_first = takewhile(lambda entry: entry[0] > after, reversed(self._events.values()))
            events = list(newest_first)[::-1]
            sizes = accumulate(_size(event) for _, event in events)
            shown = events[: max(1, sum(size <= limit for size in sizes))]
            upto = shown[-1][0] if len(shown) < len(events) else self._seq
            envelopes = [Envelope(PROTOCOL, self.session, seq, event) for seq, event in shown]
            return Page(PROTOCOL, self.session, min(after, upto), upto, self._seq, envelopes)

    def _newest_alike(self) -> Iterator[Call]:
        for run in reversed(list(self._runs)):
            for id in reversed(range(run.first, run.first + len(run.like))):
                if id not in self._calls and (call := self._whole(run, id)) is not None:
                    yield call

    def _whole(self, run: Run, id: int) -> Call | None:
        like = self._calls.get(run.like[id - run.first])
        return None if like is None else told_whole(run, id, like)

    def _drop_oldest(self) -> int:
        """Of the calls that none is like any more. A younger half is spared: those to come may be like one of them."""
        while (oldest := self._oldest_that_none_is_like()) is None:
            self._drop_oldest_run()
        self._dropped += 1
        self._calls.pop(oldest)
        self._events.pop(("call", oldest), None)  # an interrupt may have come before it was put there
        return oldest

    def _oldest_that_none_is_like(self) -> int | None:
        older = islice(self._calls, self._max_calls // 2 + 1)
        return next((id for id in older if not self._runs.refer_to(id)), None)

    def _drop_oldest_run(self) -> None:
        run = self._runs.drop_oldest()
        self._dropped += len(run.like)
        self._events.pop(("run", run.first), None)

    def _put(self, key: Hashable, event: Event) -> None:
        self._seq += 1
        self._events.pop(key, None)  # so that the order of the dict stays that of seq
        self._events[key] = (self._seq, event)


def _size(event: Event) -> int:
    return 1 + len(event.like) * _EVENTS_IN_RUN // MAX_IN_RUN if isinstance(event, Run) else 1


def plain(call: Call) -> dict[str, object]:
    """A call as a JSON-able dict, as `torchtwin.records()` gives it."""
    record: dict[str, object] = msgspec.to_builtins(call)
    return record
