"""The ring keeps the newest, counts what fell off, and deals out pages without gaps."""

from __future__ import annotations

import threading

import msgspec
import pytest

from torchtwin.kernel.recorder import Recorder
from torchtwin.kernel.runs import Alike
from torchtwin.protocol import (
    Call,
    Cleared,
    GradientFormulas,
    GradientNames,
    Gradients,
    Operands,
    Page,
    Run,
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


def tell(recorder: Recorder) -> int:
    """A call that is told whole."""
    id = recorder.next_id()
    recorder.add(call(id))
    return id


def mixed(plan: str, **limits: int) -> Recorder:
    """`w` for a call that is told whole, and a dot for one like the last of these."""
    recorder, like = Recorder("s", **limits), 0
    for kind in plan:
        if kind == "w":
            like = tell(recorder)
        else:
            recorder.pending.append(Alike(like, ()))
    recorder.settle()
    return recorder


def expanded(page: Page) -> list[int]:
    """The ids of all calls in a page, in the order of its events."""
    ids = []
    for event in (it.event for it in page.envelopes):
        ids += [event.id] if isinstance(event, Call) else []
        ids += range(event.first, event.first + len(event.like)) if isinstance(event, Run) else []
    return ids


def test_calls_in_short_and_calls_told_whole_are_numbered_as_they_were_made() -> None:
    recorder = mixed("w...w..w.")
    assert [it.id for it in recorder.latest(100)] == list(range(1, 10))
    assert [it.id for it in recorder.latest(100) if it.forward.kind == "identical"] == [1, 5, 8]
    assert recorder.counts == (9, 0)
    assert recorder.alike == 6


def test_the_latest_calls_are_given_oldest_first() -> None:
    recorder = mixed("w...w..w.")
    assert [it.id for it in recorder.latest(4)] == [6, 7, 8, 9]
    assert recorder.latest(0) == []


def test_pending_calls_are_counted_by_whoever_asks() -> None:
    recorder = mixed("w")
    recorder.pending.append(Alike(1, ()))
    assert [it.id for it in recorder.latest(9)] == [1, 2]
    recorder.pending.append(Alike(1, ()))
    assert expanded(recorder.page(0, 100)) == [1, 2, 3]
    recorder.pending.append(Alike(1, ()))
    assert recorder.next_id() == 5


@pytest.mark.parametrize("limit", [1, 2, 7, 11, 10_000])
def test_pages_of_any_size_give_each_call_once_and_in_order(limit: int) -> None:
    recorder = mixed("w" + "." * 2500 + "w.w" + "." * 1000)
    after, seen = 0, []
    while True:
        page = recorder.page(after, limit)
        assert page.envelopes
        seen += expanded(page)
        after = page.upto
        if page.upto == page.latest:
            break
    assert seen == list(range(1, 3505))


def test_a_page_is_no_larger_for_runs_than_for_calls() -> None:
    recorder = mixed("w" + "." * 10_000)
    sizes = [len(it.event.like) for it in recorder.page(0, 50).envelopes if isinstance(it.event, Run)]
    assert sum(sizes) <= 5_000


def test_the_oldest_runs_fall_off_and_are_counted_by_call() -> None:
    recorder = mixed("w", max_alike=1500)
    for _ in range(6):
        recorder.pending.extend([Alike(1, ())] * 500)
        recorder.settle()
    assert recorder.alike <= 1500
    assert recorder.counts[1] == 3000 - recorder.alike
    assert [it.id for it in recorder.latest(10_000)] == [1, *range(3002 - recorder.alike, 3002)]


def test_all_that_is_kept_can_be_told_however_full_the_ring_is() -> None:
    recorder = mixed("w." * 50, max_calls=10, max_alike=1000)
    kept = recorder.latest(1000)
    recorded, dropped = recorder.counts
    assert (recorded, len(kept)) == (100, recorded - dropped)
    assert [it.id for it in kept][-8:] == list(range(93, 101))
    whole = {it.id for it in recorder.calls()}
    runs = [it.event for it in recorder.page(0, 1000).envelopes if isinstance(it.event, Run)]
    assert all(like in whole for run in runs for like in run.like)


def test_a_call_that_others_are_like_outlives_those_that_none_is_like() -> None:
    recorder = mixed("w...", max_calls=4)
    for _ in range(20):
        tell(recorder)
    assert [it.id for it in recorder.latest(100)] == [1, 2, 3, 4, 22, 23, 24]


def test_who_adds_a_call_hears_which_one_fell_off() -> None:
    recorder = Recorder("s", max_calls=2)
    assert [recorder.add(call(recorder.next_id())) for _ in range(4)] == [None, None, 1, 2]
    assert [recorder.keeps(id) for id in range(1, 5)] == [False, False, True, True]


def test_a_call_like_one_that_is_gone_is_counted_as_dropped() -> None:
    recorder = mixed("w.")
    recorder.clear()
    recorder.pending.extend([Alike(1, ())] * 3)
    id = tell(recorder)
    recorder.pending.extend([Alike(1, ()), Alike(id, ())])
    recorder.settle()
    assert recorder.counts == (6, 4)
    assert [it.id for it in recorder.latest(100)] == [6, 8]


def test_clearing_drops_what_is_pending_and_uses_no_id_again() -> None:
    recorder = mixed("w..")
    recorder.pending.append(Alike(1, ()))
    recorder.clear()
    assert recorder.counts == (0, 0)
    assert recorder.latest(100) == []
    (cleared,) = [it.event for it in recorder.page(0, 100).envelopes]
    assert cleared == Cleared(4)
    assert recorder.next_id() == 5


def test_a_call_of_a_run_is_found_by_its_id() -> None:
    recorder = mixed("w..w")
    found = [recorder.call(id) for id in range(6)]
    assert [it and (it.id, it.forward.kind) for it in found] == [
        None,
        (1, "identical"),
        (2, "unchecked"),
        (3, "unchecked"),
        (4, "identical"),
        None,
    ]


def test_a_call_told_whole_replaces_the_one_of_its_id_in_a_run() -> None:
    recorder = mixed("w...")
    recorder.add(call(3))
    assert [(it.id, it.forward.kind) for it in recorder.latest(9)] == [
        (1, "identical"),
        (2, "unchecked"),
        (3, "identical"),
        (4, "unchecked"),
    ]


def test_calls_from_several_threads_are_all_counted_once() -> None:
    recorder = Recorder("s")
    first = tell(recorder)

    def work() -> None:
        for at in range(1000):
            recorder.pending.append(Alike(first, ()))
            if at % 50 == 0:
                tell(recorder)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [it.id for it in recorder.latest(10_000)] == list(range(1, 1 + 1 + 4 * 1020))
    assert recorder.counts == (1 + 4 * 1020, 0)
