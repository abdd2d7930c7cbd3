"""A lock, a full disk, a corrupt file: pages are kept to a bound, what is lost is counted, and all goes on after it."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.python.server.conftest import KERNEL, call, page, taken

from torchtwin.server import database, reading, writer
from torchtwin.server.writer import Writer

DAY = 24 * 3600.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "records.sqlite"


@pytest.fixture
def writing(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Writer]:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    made = Writer(path, 30 * DAY, 1e9, logging.getLogger("test"))
    yield made
    if made._thread.is_alive():
        made.stop()


def calls(path: Path) -> list[int]:
    if not path.exists():
        return []
    db = database.connect_to_read(path)
    try:
        return [id for (id,) in db.execute("SELECT id FROM event WHERE kind = 'call' ORDER BY id")]
    finally:
        db.close()


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def one(id: int) -> object:
    return taken(page(call(id), after=id - 1))


def test_pages_are_stored_in_the_background(writing: Writer, path: Path) -> None:
    writing.start()
    assert writing.put(one(1))
    assert writing.put(one(2))
    writing.submit(lambda db: None).result(20)
    assert calls(path) == [1, 2]


def test_what_waits_when_the_server_ends_is_stored(writing: Writer, path: Path) -> None:
    writing.start()
    for id in range(1, 200):
        writing.put(one(id))
    writing.stop()
    assert len(calls(path)) == 199
    assert not writing._thread.is_alive()


def test_a_locked_file_is_waited_for_and_nothing_is_lost(writing: Writer, path: Path) -> None:
    other = database.connect(path)
    other.execute("BEGIN IMMEDIATE")
    writing.start()
    writing.put(one(1))
    until(lambda: writing.problem is not None)
    assert "locked" in str(writing.problem)
    other.execute("COMMIT")
    other.close()
    until(lambda: writing.problem is None)
    assert (calls(path), writing.lost) == ([1], 0)


def test_while_nothing_can_be_stored_no_more_than_a_bound_waits_and_the_rest_is_counted(
    writing: Writer, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = database.connect(path)
    other.execute("BEGIN IMMEDIATE")
    size = len(one(1).text) * 2  # type: ignore[attr-defined]
    monkeypatch.setattr(writing._backlog, "_each", 10 * size)
    writing.start()
    taken_in = [writing.put(one(id)) for id in range(1, 101)]
    assert writing.lost == taken_in.count(False) > 30
    other.execute("COMMIT")
    other.close()
    until(lambda: len(calls(path)) == taken_in.count(True))


def test_one_kernel_that_floods_leaves_room_for_another(writing: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing._backlog, "_each", 10_000)
    while writing.put(one(1)):
        pass
    assert writing.put(taken(page(call(1)), kernel="another-kernel"))


def test_a_full_disk_is_told_and_once_there_is_room_again_all_is_stored(
    writing: Writer, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = database.connect
    full = threading.Event()
    full.set()

    def on_a_full_disk(path: Path) -> sqlite3.Connection:
        db = connect(path)
        if full.is_set():
            db.execute(f"PRAGMA max_page_count={db.execute('PRAGMA page_count').fetchone()[0]}")
        return db

    monkeypatch.setattr(database, "connect", on_a_full_disk)
    writing.start()
    big = taken(page(call(1, name="large" * 100_000)))
    writing.put(big)
    until(lambda: writing.problem is not None)
    assert "full" in str(writing.problem)
    full.clear()
    until(lambda: writing.problem is None)
    assert (calls(path), writing.lost) == ([1], 0)


def test_a_folder_that_can_not_be_made_is_told_and_tried_again(tmp_path: Path, writing: Writer) -> None:
    (tmp_path / "file").write_text("in the way")
    writing.path = tmp_path / "file" / "records.sqlite"
    writing.start()
    writing.put(one(1))
    until(lambda: writing.problem is not None)
    (tmp_path / "file").unlink()
    until(lambda: writing.problem is None)
    assert calls(writing.path) == [1]


def test_the_end_of_the_server_is_not_held_up_by_a_file_that_can_not_be_written(writing: Writer, path: Path) -> None:
    other = database.connect(path)
    other.execute("BEGIN IMMEDIATE")
    writing.start()
    writing.put(one(1))
    until(lambda: writing.problem is not None)
    writing.stop()
    assert not writing._thread.is_alive()
    assert writing.lost == 1
    other.close()


def test_a_corrupt_file_is_moved_aside_and_a_new_one_begun(writing: Writer, path: Path) -> None:
    path.write_bytes(b"this is no database " * 500)
    writing.start()
    writing.put(one(1))
    until(lambda: calls_if_any(path) == [1])
    (aside,) = writing.moved_aside
    assert Path(aside).read_bytes() == b"this is no database " * 500
    assert (writing.lost, writing.problem) == (0, None)


def calls_if_any(path: Path) -> list[int]:
    try:
        return calls(path)
    except (sqlite3.Error, database.OtherVersion):
        return []


def test_a_file_that_becomes_corrupt_in_use_is_moved_aside_as_soon_as_it_shows(writing: Writer, path: Path) -> None:
    writing.start()
    for id in range(1, 300):
        writing.put(one(id))
    writing.submit(lambda db: db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()).result(20)
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(path.stat().st_size - 4096))
    writing.suspect()
    writing.put(one(300))
    until(lambda: len(writing.moved_aside) == 1)
    until(lambda: calls_if_any(path) == [300])


def test_a_file_that_was_taken_away_is_made_anew(writing: Writer, path: Path) -> None:
    writing.start()
    writing.put(one(1))
    writing.submit(lambda db: None).result(20)
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    writing.put(one(2))
    writing.submit(lambda db: None).result(20)
    assert calls(path) == [2]


def test_the_file_of_a_newer_version_is_left_alone_and_that_is_told(writing: Writer, path: Path) -> None:
    db = database.connect(path)
    db.execute("PRAGMA user_version=99")
    db.close()
    writing.start()
    writing.put(one(1))
    until(lambda: writing.problem is not None)
    assert "version 99" in str(writing.problem)
    assert writing.moved_aside == []


def test_a_page_that_can_never_be_stored_does_not_hold_up_those_after_it(writing: Writer, path: Path) -> None:
    db = database.connect(path)
    db.execute("CREATE TRIGGER no BEFORE INSERT ON event WHEN NEW.name = 'poison' BEGIN SELECT RAISE(ABORT, 'no'); END")
    db.close()
    writing.start()
    writing.put(taken(page(call(1, name="poison"))))
    writing.submit(lambda db: None).result(20)
    writing.put(one(2))
    until(lambda: calls(path) == [2])
    assert writing.lost == 1


def test_a_job_that_fails_tells_who_asked_and_the_next_is_done(writing: Writer) -> None:
    writing.start()
    with pytest.raises(ZeroDivisionError):
        writing.submit(lambda db: 1 // 0).result(20)
    assert writing.submit(lambda db: 7).result(20) == 7


def test_a_job_that_was_given_up_is_not_done(writing: Writer) -> None:
    done = []
    job = writing.submit(lambda db: done.append(1))
    job.cancel()
    writing.start()
    writing.submit(lambda db: None).result(20)
    assert done == []


def test_what_is_too_much_is_let_go_while_pages_are_stored(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "RETENTION_SECONDS", 0.0)
    writing = Writer(path, 30 * DAY, 400_000, logging.getLogger("test"))
    writing.start()
    for id in range(1, 1500):
        writing.put(one(id))
    writing.submit(lambda db: None).result(20)
    until(lambda: path.stat().st_size > 0 and len(calls(path)) < 1000)
    assert calls(path)[-1] == 1499
    db = database.connect_to_read(path)
    assert reading.sessions(db)[0][0][2].dropped > 0
    assert reading.find(db, KERNEL, None)
    db.close()
    writing.stop()


def two(path: Path) -> tuple[Writer, Writer]:
    """Of two servers, on one file."""
    log = logging.getLogger("test")
    return Writer(path, 30 * DAY, 1e9, log), Writer(path, 30 * DAY, 1e9, log)


def test_two_servers_write_into_one_file(path: Path) -> None:
    writers = two(path)
    for each in writers:
        each.start()
    for id in range(1, 201):
        for which, each in enumerate(writers):
            each.put(taken(page(call(id), after=id - 1), kernel=f"kernel-{which}"))
    for each in writers:
        each.stop()
    assert calls(path) == sorted([*range(1, 201)] * 2)
    assert [each.lost for each in writers] == [0, 0]


def test_a_corrupt_file_of_two_servers_is_moved_by_one_and_left_by_the_other(path: Path) -> None:
    writers = two(path)
    for each in writers:
        each.start()
        each.put(one(1))
        each.submit(lambda db: db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()).result(20)
    path.write_bytes(b"this is no database " * 5000)
    for id in (2, 3):
        for each in writers:
            each.suspect()
            each.put(one(id))
            each.submit(lambda db: None).result(20)
    for each in writers:
        each.stop()
    assert sum(len(each.moved_aside) for each in writers) == 1
    assert calls(path)[-1] == 3
    assert [each.lost for each in writers] == [0, 0]
