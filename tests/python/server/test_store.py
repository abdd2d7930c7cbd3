"""The newest event of each entity is kept, what was heard is known, and what is too old or too much goes."""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.python.server.conftest import KERNEL, call, content, page, run, state, taken

from torchtwin import protocol as p
from torchtwin.kernel.recorder import Recorder
from torchtwin.kernel.runs import Alike
from torchtwin.server import database, reading, store
from torchtwin.server.heard import heard

DAY = 24 * 3600.0
OTHER = "7a1d1c9e-1111-4222-8333-444455556666"


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    opened = database.connect(tmp_path / "records.sqlite")
    yield opened
    opened.close()


def put(db: sqlite3.Connection, *pages: p.Page, kernel: str = KERNEL) -> None:
    store.put(db, [taken(page, kernel) for page in pages])


def stored(db: sqlite3.Connection, after: int = 0, session: str | None = None, limit: int = 2000) -> p.Page:
    found = msgspec.json.encode(reading.page(db, KERNEL, session, after, limit))
    return msgspec.json.decode(found, type=p.Page)


def ids(page: p.Page) -> list[int]:
    events = [it.event for it in page.envelopes]
    return [it.id if isinstance(it, p.Call) else it.first for it in events if isinstance(it, p.Call | p.Run)]


def test_what_was_put_comes_out_as_the_kernel_told_it(db: sqlite3.Connection) -> None:
    told = page(state(), call(1), call(2), run(3, 1, 2))
    put(db, told)
    assert stored(db) == told


def test_a_later_event_about_a_call_replaces_the_earlier(db: sqlite3.Connection) -> None:
    better = call(1, gradients=p.Gradients(weight=p.Verdict(kind="rounding", message="rounds")))
    put(db, page(call(1), call(2)), page(better, after=2))
    assert [(it.seq, it.event) for it in stored(db).envelopes] == [(2, call(2)), (3, better)]


def test_an_earlier_event_that_comes_late_replaces_nothing(db: sqlite3.Connection) -> None:
    newer = call(1, name="newer")
    put(db, page(newer, after=4), page(call(1)))
    assert [it.event for it in stored(db, after=4).envelopes] == [newer]
    assert stored(db).envelopes == []


def test_a_page_that_comes_twice_is_stored_once(db: sqlite3.Connection) -> None:
    put(db, page(call(1), run(2, 1)), page(call(1), run(2, 1)))
    assert stored(db) == page(call(1), run(2, 1))


def test_cleared_calls_are_gone_and_stay_gone(db: sqlite3.Connection) -> None:
    put(db, page(call(1), run(2, 1, 1), call(4)))
    put(db, page(p.Cleared(4), call(5), after=3))
    put(db, page(call(1), call(4), after=1))
    assert ids(stored(db)) == [5]
    assert db.execute("SELECT count(*) FROM likeness").fetchone() == (0,)


def test_sessions_and_kernels_do_not_meet(db: sqlite3.Connection) -> None:
    put(db, page(call(1)), page(call(1, name="restarted"), session="s2"))
    put(db, page(p.Cleared(9), session="s3"), kernel=OTHER)
    assert [it.event for it in stored(db, session="s1").envelopes] == [call(1)]
    assert [it.event for it in stored(db).envelopes] == [call(1, name="restarted")]


def test_a_page_of_the_store_ends_at_its_limit_and_the_next_follows_without_a_gap(db: sqlite3.Connection) -> None:
    put(db, page(*[call(id) for id in range(1, 8)]))
    first, second = stored(db, limit=5), stored(db, after=5, limit=5)
    assert (first.after, first.upto, first.latest, ids(first)) == (0, 5, 7, [1, 2, 3, 4, 5])
    assert (second.after, second.upto, second.latest, ids(second)) == (5, 7, 7, [6, 7])


def test_a_page_of_the_store_ends_at_a_size(db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    put(db, page(*[call(id) for id in range(1, 8)]))
    monkeypatch.setattr(reading, "PAGE_BYTES", 2 * len(msgspec.json.encode(call(1))))
    assert ids(stored(db)) == [1, 2, 3]


def test_what_was_not_heard_shows_as_a_page_that_begins_later(db: sqlite3.Connection) -> None:
    put(db, page(call(1)), page(call(4), after=3))
    before, beyond = stored(db), stored(db, after=1)
    assert (before.after, before.upto, before.latest, ids(before)) == (0, 1, 4, [1])
    assert (beyond.after, beyond.upto, beyond.latest, ids(beyond)) == (3, 4, 4, [4])


def test_who_knows_all_or_more_gets_an_empty_page(db: sqlite3.Connection) -> None:
    put(db, page(call(1)))
    for after in (1, 50):
        assert (stored(db, after).after, stored(db, after).upto, stored(db, after).envelopes) == (1, 1, [])


@given(heard=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 6)), max_size=10))
def test_what_was_heard_is_known_in_whichever_order_it_came(heard: list[tuple[int, int]]) -> None:
    db = sqlite3.connect(":memory:", isolation_level=None)
    try:
        database.migrate(db)
        for after, length in heard:
            put(db, page(after=after, upto=after + length))
        spans = db.execute("SELECT after, upto FROM span ORDER BY after").fetchall()
    finally:
        db.close()
    numbers = {seq for after, length in heard for seq in range(after + 1, after + length + 1)}
    assert {seq for after, upto in spans for seq in range(after + 1, upto + 1)} == numbers
    assert all(first[1] < second[0] for first, second in itertools.pairwise(spans))


steps = st.lists(st.sampled_from(["call", "like", "update", "clear", "state", "send", "send"]), min_size=1, max_size=60)


@given(steps=steps)
def test_whatever_a_kernel_did_the_store_tells_what_the_kernel_itself_would(steps: list[str]) -> None:
    """The kernel's own ring is the measure."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    try:
        database.migrate(db)
        recorder = Recorder("s1")
        sent = 0
        for step in [*steps, "send"]:
            act(recorder, step)
            if step == "send":
                told = recorder.page(sent, 2000)
                put(db, told)
                sent = told.upto
        kept = recorder.page(0, 2000)
        assert stored(db).envelopes == kept.envelopes
        assert stored(db).upto == kept.upto
    finally:
        db.close()


def act(recorder: Recorder, step: str) -> None:
    newest = recorder.calls()[-1].id if recorder.calls() else None
    if step == "call":
        recorder.add(call(recorder.next_id()))
    elif step == "like" and newest is not None:
        recorder.pending.append(Alike(newest, (5, 4)))
    elif step == "update" and newest is not None:
        recorder.update(newest, lambda known: msgspec.structs.replace(known, name=known.name + "'"))
    elif step == "clear":
        recorder.clear()
    elif step == "state":
        recorder.say(state(recorder.counts[0]))


def retain(db: sqlite3.Connection, max_age: float = 30 * DAY, max_bytes: float = 1e9) -> None:
    for _ in store.retain(db, max_age, max_bytes):
        pass


def age(db: sqlite3.Connection, days: float, session: str) -> None:
    by, ids = days * DAY, "SELECT id FROM session WHERE session = ?"
    db.execute("UPDATE session SET began = began - ?, seen = seen - ? WHERE session = ?", (by, by, session))
    db.execute(f"UPDATE event SET at = at - ? WHERE session IN ({ids})", (by, session))


def sessions(db: sqlite3.Connection) -> list[str]:
    return [row.session for _, _, row in reading.sessions(db)[0]]


def test_a_session_that_is_too_old_is_let_go_and_a_younger_stays(db: sqlite3.Connection) -> None:
    put(db, page(call(1)), page(call(1), session="s2"))
    age(db, 31, "s1")
    age(db, 29, "s2")
    retain(db)
    assert sessions(db) == ["s2"]
    assert db.execute("SELECT count(*) FROM event").fetchone() == (1,)


def test_of_a_session_that_goes_on_the_calls_that_are_too_old_go(db: sqlite3.Connection) -> None:
    put(db, page(call(1), call(2), run(3, 2)))
    age(db, 31, "s1")
    put(db, page(call(4), run(5, 1), after=3))
    retain(db)
    assert ids(stored(db)) == [1, 4, 5]
    assert reading.sessions(db)[0][0][2].dropped == 2


def filled(db: sqlite3.Connection, calls: int, session: str) -> None:
    big: Sequence[p.Call] = [call(id, name=f"layer{id}" * 100) for id in range(1, calls + 1)]
    put(db, page(*big, session=session))


def test_for_room_ended_sessions_go_before_one_that_is_recorded(db: sqlite3.Connection) -> None:
    for session in ("s1", "s2", "s3"):
        filled(db, 300, session)
    age(db, 2, "s1")
    age(db, 1, "s2")
    size = store.size(db)
    retain(db, max_bytes=0.8 * size)
    assert sessions(db) == ["s3", "s2"]
    retain(db, max_bytes=0.5 * size)
    assert sessions(db) == ["s3"]
    assert len(ids(stored(db))) == 300


def test_for_room_the_oldest_calls_go_but_none_that_kept_calls_are_like(db: sqlite3.Connection) -> None:
    filled(db, 3000, "s1")
    put(db, page(run(3001, 7, 7), after=3000))
    half = store.size(db) / 2
    retain(db, max_bytes=half)
    kept = ids(stored(db))
    assert store.size(db) < half
    assert kept[0] == 7
    assert kept[-1] == 3001
    assert kept[1:-1] == list(range(kept[1], 3001))
    assert reading.sessions(db)[0][0][2].dropped == 3002 - (len(kept) + 1)  # the run is two


def test_everything_is_let_go_if_nothing_else_fits(db: sqlite3.Connection) -> None:
    filled(db, 1200, "s1")
    retain(db, max_bytes=1)
    assert ids(stored(db)) == []


def test_what_is_let_go_is_given_back_to_the_disk(db: sqlite3.Connection, tmp_path: Path) -> None:
    filled(db, 3000, "s1")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = (tmp_path / "records.sqlite").stat().st_size
    assert store.delete(db, KERNEL, None) == 1
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert (tmp_path / "records.sqlite").stat().st_size < before / 10


def test_deleted_is_what_was_named_and_nothing_else(db: sqlite3.Connection) -> None:
    put(db, page(call(1)), page(call(1), session="s2"))
    put(db, page(call(1), session="s9"), kernel=OTHER)
    assert store.delete(db, KERNEL, "s1") == 1
    assert sorted(sessions(db)) == ["s2", "s9"]
    assert store.delete(db, KERNEL, None) == 1
    assert sessions(db) == ["s9"]
    assert store.delete(db, KERNEL, None) == 0


def test_what_comes_after_a_deletion_does_not_pretend_to_be_complete(db: sqlite3.Connection) -> None:
    put(db, page(call(1)))
    store.delete(db, KERNEL, None)
    put(db, page(call(2), after=1))
    assert (stored(db).after, ids(stored(db))) == (1, [2])


def test_pages_are_put_all_or_none(db: sqlite3.Connection) -> None:
    db.execute("CREATE TRIGGER no BEFORE INSERT ON event WHEN NEW.name = 'poison' BEGIN SELECT RAISE(ABORT, 'no'); END")
    with pytest.raises(sqlite3.IntegrityError):
        put(db, page(call(1)), page(call(2, name="poison"), after=1))
    assert sessions(db) == []
    assert not db.in_transaction


def test_an_event_is_stored_as_it_came_with_what_this_version_does_not_know(db: sqlite3.Connection) -> None:
    sent = msgspec.to_builtins(page(call(1)))
    sent["envelopes"][0]["event"]["colour"] = "blue"
    found = heard(KERNEL, content(sent))
    assert found is not None
    store.put(db, [found])
    assert json.loads(msgspec.json.encode(reading.page(db, KERNEL, None, 0, 10))) == sent
