"""What is done with an open database: pages in, records out, old ones away. Plain functions of a connection."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from torchtwin.server.heard import Heard, Row

CHUNK = 500
"""Events that are let go at a time, so that nobody waits long."""
ROOM = 0.9
"""To how much of what is allowed the store is reduced when it has become too large."""
ENDED = 3600.0
"""A session that has been silent for so many seconds goes before one that is being recorded."""


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if db.in_transaction:  # a full disk has rolled it back already
            db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def put(db: sqlite3.Connection, pages: Sequence[Heard]) -> None:
    """All of them, or none."""
    with transaction(db):
        for page in pages:
            _put_page(db, page)


def _put_page(db: sqlite3.Connection, page: Heard) -> None:
    now = time.time()
    db.execute(
        "INSERT INTO session (kernel, session, began, seen) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (kernel, session) DO UPDATE SET seen = excluded.seen",
        (page.kernel, page.session, now, now),
    )
    session, cleared = db.execute(
        "SELECT id, cleared FROM session WHERE kernel = ? AND session = ?", (page.kernel, page.session)
    ).fetchone()
    cleared = max([cleared, *(row.id for row in page.rows if row.kind == "cleared")])
    _clear(db, session, cleared)
    # A call that was cleared stays gone, whatever comes late.
    rows = [row for row in page.rows if row.kind not in ("call", "run") or row.id > cleared]
    _put_rows(db, session, rows, now)
    _cover(db, session, page.after, page.upto)


def _clear(db: sqlite3.Connection, session: int, upto: int) -> None:
    changed = db.execute("UPDATE session SET cleared = ?1 WHERE id = ?2 AND cleared < ?1", (upto, session)).rowcount
    if changed:
        db.execute("DELETE FROM event WHERE session = ? AND kind IN ('call', 'run') AND id <= ?", (session, upto))
        db.execute("DELETE FROM likeness WHERE session = ? AND run <= ?", (session, upto))


def _put_rows(db: sqlite3.Connection, session: int, rows: Sequence[Row], now: float) -> None:
    """A newer event of an entity replaces an older one, in whichever order they come."""
    db.executemany(
        "INSERT INTO event (session, kind, id, seq, at, calls, name, verdict, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (session, kind, id) DO UPDATE SET seq = excluded.seq, at = excluded.at, calls = excluded.calls,"
        " name = excluded.name, verdict = excluded.verdict, body = excluded.body WHERE excluded.seq > event.seq",
        [(session, row.kind, _key(row), row.seq, now, row.calls, row.name, row.verdict, row.body) for row in rows],
    )
    db.executemany(
        "INSERT OR REPLACE INTO likeness (session, call, run, calls) VALUES (?, ?, ?, ?)",
        [(session, call, row.id, calls) for row in rows for call, calls in row.like.items()],
    )


def _key(row: Row) -> int:
    """There is one newest `cleared`, whatever it cleared."""
    return row.id if row.kind in ("call", "run") else 0


def _cover(db: sqlite3.Connection, session: int, after: int, upto: int) -> None:
    """Notes that everything from `after` to `upto` was heard; spans that touch become one."""
    touching = (session, upto, after)
    low, high = db.execute(
        "SELECT min(after), max(upto) FROM span WHERE session = ? AND after <= ? AND upto >= ?", touching
    ).fetchone()
    if low is not None:
        db.execute("DELETE FROM span WHERE session = ? AND after <= ? AND upto >= ?", touching)
        after, upto = min(low, after), max(high, upto)
    db.execute("INSERT INTO span (session, after, upto) VALUES (?, ?, ?)", (session, after, upto))


def name(db: sqlite3.Connection, kernel: str, path: str) -> None:
    """Notes which notebook the kernel belongs to."""
    with transaction(db):
        db.execute("UPDATE session SET path = ? WHERE kernel = ? AND path != ?1", (path, kernel))


def delete(db: sqlite3.Connection, kernel: str, session: str | None) -> int:
    """Deletes one session's records, or all of a kernel's. Returns how many sessions there were."""
    with transaction(db):
        found = db.execute(
            "DELETE FROM session WHERE kernel = ?1 AND (?2 IS NULL OR session = ?2)", (kernel, session)
        ).rowcount
    give_back(db)
    return found


def size(db: sqlite3.Connection) -> int:
    """Bytes in use."""
    pages, free, each = (
        db.execute(f"PRAGMA {it}").fetchone()[0] for it in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * each)


def give_back(db: sqlite3.Connection) -> None:
    """Returns what is free in the file to the disk."""
    # It frees a page at each step, and only a script is stepped to its end.
    db.executescript("PRAGMA incremental_vacuum")


def retain(db: sqlite3.Connection, max_age: float, max_bytes: float) -> Iterator[None]:
    """Lets go of what is too old or too much, a little at each step: a session, or some of the oldest calls."""
    before = time.time() - max_age
    while _drop_session(db, before) or _drop_old_calls(db, before):
        yield
    if size(db) > max_bytes:
        # Some more than needed, so that it is not soon to be done again; ended sessions before those that go on.
        while size(db) > ROOM * max_bytes and (_drop_session(db, time.time() - ENDED) or _drop_oldest_calls(db)):
            yield
    give_back(db)


def _drop_session(db: sqlite3.Connection, before: float) -> bool:
    """The one that has been silent for longest, if that is since `before`."""
    with transaction(db):
        found = db.execute("SELECT id FROM session WHERE seen < ? ORDER BY seen LIMIT 1", (before,)).fetchone()
        if found:
            db.execute("DELETE FROM session WHERE id = ?", found)
    return found is not None


def _drop_old_calls(db: sqlite3.Connection, before: float) -> bool:
    """Of sessions that go on and on."""
    sessions = db.execute("SELECT id FROM session WHERE began < ?", (before,)).fetchall()
    return any([_drop(db, session, "AND at < ?", (before,)) for (session,) in sessions])


def _drop_oldest_calls(db: sqlite3.Connection) -> bool:
    """Of the session that has most."""
    largest = db.execute("SELECT session FROM event GROUP BY session ORDER BY count(*) DESC LIMIT 1").fetchone()
    return largest is not None and _drop(db, largest[0], "", ())


def _drop(db: sqlite3.Connection, session: int, extra: str, values: tuple[float, ...]) -> bool:
    """The oldest calls and runs, but no call that a run which is kept refers to."""
    with transaction(db):
        oldest = db.execute(
            "SELECT rowid, kind, id, calls FROM event e WHERE session = ? AND kind IN ('call', 'run')"
            " AND (kind = 'run' OR NOT EXISTS"
            f" (SELECT 1 FROM likeness l WHERE l.session = e.session AND l.call = e.id)) {extra} ORDER BY id LIMIT ?",
            (session, *values, CHUNK),
        ).fetchall()
        db.executemany("DELETE FROM event WHERE rowid = ?", [(rowid,) for rowid, *_ in oldest])
        runs = [(session, id) for _, kind, id, _ in oldest if kind == "run"]
        db.executemany("DELETE FROM likeness WHERE session = ? AND run = ?", runs)
        dropped = sum(calls for *_, calls in oldest)
        db.execute("UPDATE session SET dropped = dropped + ? WHERE id = ?", (dropped, session))
    return bool(oldest)
