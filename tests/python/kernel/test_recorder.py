"""The ring keeps the newest, counts what fell off, and deals out pages without gaps."""

from __future__ import annotations

import threading

import msgspec
import pytest

from torchtwin.kernel.recorder import Recorder
from torchtwin.protocol import (
    Call,
    Cleared,
    GradientFormulas,
    GradientNames,
    Gradients,
    Operands,
    Page,
    Site,
    State,
    Values,
    Verdict,
)

IDENTICAL = Verdict(kind="identical", message="identical")


def call(id: int) -> Call:
    return Call(
        id=id,
        name="fc",
        expression="x @ w.T",
        site=Site(),
        operands=Operands(None, None, None, None, None),
        forward=IDENTICAL,
        gradients=Gradients(),
        gradient_formulas=GradientFormulas("", None, ""),
        gradient_names=GradientNames("", None, ""),
        error=None,
        values=Values(),
        time=0.0,
    )


def test_ten_thousand_calls_are_kept_by_default() -> None:
    recorder = Recorder("session")
    for id in range(1, 10_004):
        recorder.add(call(id))
    assert recorder.counts == (10_003, 3)
    assert [kept.id for kept in recorder.calls()] == list(range(4, 10_004))


def filled(count: int, max_calls: int = 100) -> Recorder:
    recorder = Recorder("s", max_calls)
    for _ in range(count):
        recorder.add(call(recorder.next_id()))
    return recorder


def ids(page: Page) -> list[int]:
    return [e.event.id for e in page.envelopes if isinstance(e.event, Call)]


def test_the_oldest_call_falls_off_and_is_counted() -> None:
    recorder = filled(7, max_calls=4)
    assert [c.id for c in recorder.calls()] == [4, 5, 6, 7]
    assert recorder.counts == (7, 3)


def test_pages_follow_each_other_without_gap_or_repetition() -> None:
    recorder, after, seen = filled(25), 0, []
    while True:
        page = recorder.page(after, 10)
        assert page.after == after
        seen += ids(page)
        after = page.upto
        if page.upto == page.latest:
            break
    assert seen == list(range(1, 26))


def test_an_updated_call_comes_once_with_its_newest_state() -> None:
    recorder = filled(3)
    recorder.update(1, lambda c: msgspec.structs.replace(c, gradients=Gradients(weight=IDENTICAL)))
    page = recorder.page(0, 10)
    assert ids(page) == [2, 3, 1]
    assert page.envelopes[-1].event == recorder.call(1)
    assert [e.seq for e in page.envelopes] == [2, 3, 4]
    assert page.upto == page.latest == 4


def test_updating_a_call_that_fell_off_brings_nothing_back() -> None:
    recorder = filled(3, max_calls=2)
    recorder.update(1, lambda c: c)
    assert [c.id for c in recorder.calls()] == [2, 3]


def test_an_update_does_not_make_a_call_young() -> None:
    recorder = filled(2, max_calls=2)
    recorder.update(1, lambda c: c)
    recorder.add(call(recorder.next_id()))
    assert [c.id for c in recorder.calls()] == [2, 3]


def test_clearing_tells_up_to_where_and_does_not_reuse_ids() -> None:
    recorder = filled(3)
    recorder.clear()
    assert recorder.calls() == []
    assert recorder.counts == (0, 0)
    assert [e.event for e in recorder.page(0, 10).envelopes] == [Cleared(3)]
    assert recorder.next_id() == 4


def test_a_state_said_twice_is_one_event() -> None:
    recorder = Recorder("s")
    state = State(watching=True, torch=None, torchtwin="1", calls=0, dropped=0, internal_errors=None)
    recorder.say(state)
    recorder.say(state)
    assert recorder.page(0, 10).latest == 1


@pytest.mark.parametrize("after", [5, 1000])
def test_a_page_after_the_end_is_empty(after: int) -> None:
    page = filled(5).page(after, 10)
    assert (page.envelopes, page.upto) == ([], 5)


def test_threads_lose_no_call() -> None:
    recorder = Recorder("s", 10_000)
    workers = [
        threading.Thread(target=lambda: [recorder.add(call(recorder.next_id())) for _ in range(500)]) for _ in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(c.id for c in recorder.calls()) == list(range(1, 2001))
