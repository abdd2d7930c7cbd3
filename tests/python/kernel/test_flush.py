"""The flush thread sends everything once, in order, a few messages at a time."""

from __future__ import annotations

import threading
import time

from tests.python.kernel.test_recorder import call, filled

from torchtwin.kernel.flush import INTERVAL, MAX_EVENTS, Flush
from torchtwin.kernel.guard import Guard
from torchtwin.protocol import Page


class Sent:
    def __init__(self, expect: int) -> None:
        self.pages: list[Page] = []
        self.times: list[float] = []
        self.complete = threading.Event()
        self._expect = expect

    def __call__(self, page: Page) -> None:
        self.pages.append(page)
        self.times.append(time.monotonic())
        if page.upto >= self._expect:
            self.complete.set()


def test_all_events_go_out_once_and_in_order() -> None:
    recorder, sent = filled(3 * MAX_EVENTS, max_calls=10_000), Sent(3 * MAX_EVENTS)
    flush = Flush(recorder, sent, Guard())
    flush.begin()
    assert sent.complete.wait(10)
    flush.end()
    assert [e.seq for page in sent.pages for e in page.envelopes] == list(range(1, 3 * MAX_EVENTS + 1))
    assert max(len(page.envelopes) for page in sent.pages) <= MAX_EVENTS
    assert all(b.after == a.upto for a, b in zip(sent.pages, sent.pages[1:], strict=False))


def test_there_are_at_most_ten_messages_a_second() -> None:
    recorder, sent = filled(0), Sent(400)
    flush = Flush(recorder, sent, Guard())
    flush.begin()
    for _ in range(400):
        recorder.add(call(recorder.next_id()))
        time.sleep(0.001)
    assert sent.complete.wait(10)
    flush.end()
    gaps = [b - a for a, b in zip(sent.times, sent.times[1:-1], strict=False)]
    assert gaps
    assert min(gaps) >= 0.9 * INTERVAL


def test_what_is_left_at_the_end_is_sent() -> None:
    recorder, sent = filled(0), Sent(1)
    flush = Flush(recorder, sent, Guard())
    flush.begin()
    recorder.add(call(recorder.next_id()))
    flush.end()
    assert sum(len(page.envelopes) for page in sent.pages) == 1


class Fails:
    """Takes a page only after it has failed so often."""

    def __init__(self, times: int, error: Exception) -> None:
        self.pages: list[Page] = []
        self.tried = threading.Event()
        self._left = times
        self._error = error

    def __call__(self, page: Page) -> None:
        self._left -= 1
        if self._left >= 0:
            self.tried.set()
            raise self._error
        self.pages.append(page)


def test_a_page_that_could_not_be_sent_comes_again_and_is_counted() -> None:
    recorder, guard, send = filled(2), Guard(), Fails(1, OSError(28, "No space left on device"))
    flush = Flush(recorder, send, guard)
    flush.begin()
    assert send.tried.wait(10)
    recorder.add(call(recorder.next_id()))
    assert flush.end()
    assert [e.seq for page in send.pages for e in page.envelopes] == [1, 2, 3]
    report = guard.report()
    assert report is not None
    assert report.count == 1


def test_a_page_that_no_transport_can_take_leaves_a_gap_and_stops_nothing() -> None:
    recorder, send = filled(2), Fails(1, ValueError("no such page"))
    flush = Flush(recorder, send, Guard())
    flush.begin()
    assert send.tried.wait(10)
    recorder.add(call(recorder.next_id()))
    assert not flush.end()
    assert [(page.after, page.upto) for page in send.pages] == [(2, 3)]


def test_the_end_tells_whether_all_was_sent() -> None:
    for times, is_sent in ((0, True), (9, False)):
        flush = Flush(filled(1), Fails(times, OSError("closed")), Guard())
        flush.begin()
        assert flush.end() is is_sent


def test_debuggers_leave_the_thread_running() -> None:
    flush = Flush(filled(0), lambda page: None, Guard())
    flush.begin()
    thread = flush._thread
    flush.end()
    assert thread is not None
    assert thread.daemon
    assert (thread.pydev_do_not_trace, thread.is_pydev_daemon_thread) == (True, True)  # type: ignore[attr-defined]


def test_nothing_is_sent_in_a_pause_and_all_of_it_afterwards() -> None:
    recorder, sent = filled(0), Sent(5)
    flush = Flush(recorder, sent, Guard())
    flush.begin()
    flush.pause()
    for _ in range(5):
        recorder.add(call(recorder.next_id()))
    assert flush._thread is not None
    assert not flush._thread.is_alive()
    assert sent.pages == []
    flush.resume()
    assert sent.complete.wait(10)
    flush.end()
    assert [e.seq for page in sent.pages for e in page.envelopes] == list(range(1, 6))
