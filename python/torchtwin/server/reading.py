"""What is asked of the stored records. Plain functions of a connection that only reads."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from torchtwin.protocol import PROTOCOL, Call, RawEnvelope, RawPage, Run, State, told_whole
from torchtwin.server.answers import Layer, SessionRow, Summary, Verdicts
from torchtwin.server.heard import WORST_FIRST

PAGE_BYTES = 4_000_000
"""After which a page ends, however few its envelopes."""
MAX_LAYERS = 1_000
MAX_SESSIONS = 1_000

_call = msgspec.json.Decoder(Call)
_run = msgspec.json.Decoder(Run)
_state = msgspec.json.Decoder(State)


class Unknown(LookupError):
    """There are no such records."""


@contextmanager
def snapshot(db: sqlite3.Connection) -> Iterator[None]:
    """All that is read within is of one moment."""
    db.execute("BEGIN")
    try:
        yield
    finally:
        db.execute("COMMIT")


def sessions(db: sqlite3.Connection) -> tuple[list[tuple[str, str, SessionRow]], int]:
    """The newest first, with kernel and path, and how many more there are."""
    with snapshot(db):
        rows = db.execute(
            "SELECT kernel, path, session, began, seen, dropped,"
            " coalesce((SELECT sum(calls) FROM event WHERE session = s.id), 0),"
            " coalesce((SELECT max(upto) FROM span WHERE session = s.id), 0),"
            " (SELECT count(*) FROM span WHERE session = s.id AND after > 0)"
            " FROM session s ORDER BY seen DESC, id DESC LIMIT ?",
            (MAX_SESSIONS,),
        ).fetchall()
        total = db.execute("SELECT count(*) FROM session").fetchone()[0]
    return [(kernel, path, SessionRow(*row)) for kernel, path, *row in rows], total - len(rows)


def find(db: sqlite3.Connection, kernel: str, session: str | None) -> tuple[int, str]:
    """The row and name of a session; of the kernel's newest where none is named. Raises `Unknown`."""
    found: tuple[int, str] | None = db.execute(
        "SELECT id, session FROM session WHERE kernel = ?1 AND (?2 IS NULL OR session = ?2) ORDER BY id DESC LIMIT 1",
        (kernel, session),
    ).fetchone()
    if found is None:
        raise Unknown(f"no records of kernel {kernel}" + ("" if session is None else f" in session {session}"))
    return found


def page(db: sqlite3.Connection, kernel: str, session: str | None, after: int, limit: int) -> RawPage:
    """As the kernel would have told it. Where something was not heard the page begins later than `after`."""
    with snapshot(db):
        row, name = find(db, kernel, session)
        latest = db.execute("SELECT coalesce(max(upto), 0) FROM span WHERE session = ?", (row,)).fetchone()[0]
        span = db.execute(
            "SELECT after, upto FROM span WHERE session = ? AND upto > ? ORDER BY after LIMIT 1", (row, after)
        ).fetchone()
        if span is None:
            return RawPage(PROTOCOL, name, latest, latest, latest, [])
        begin, end = max(after, span[0]), span[1]
        envelopes, whole = _envelopes(db, row, name, begin, end, limit)
        return RawPage(PROTOCOL, name, begin, end if whole else envelopes[-1].seq, latest, envelopes)


def _envelopes(
    db: sqlite3.Connection, row: int, session: str, after: int, upto: int, limit: int
) -> tuple[list[RawEnvelope], bool]:
    """And whether these are all."""
    found = db.execute(
        "SELECT seq, body FROM event WHERE session = ? AND seq > ? AND seq <= ? ORDER BY seq", (row, after, upto)
    )
    envelopes: list[RawEnvelope] = []
    size = 0
    for seq, body in found:
        if len(envelopes) >= limit or size > PAGE_BYTES:
            found.close()
            return envelopes, False
        envelopes.append(RawEnvelope(PROTOCOL, session, seq, msgspec.Raw(body)))
        size += len(body)
    return envelopes, True


def record(db: sqlite3.Connection, kernel: str, session: str | None, id: int) -> RawEnvelope:
    """The newest event about a call; one that was told in short is told whole. Raises `Unknown`."""
    with snapshot(db):
        row, name = find(db, kernel, session)
        found = _event(db, row, "id = ?", id, "call") or _in_run(db, row, id)
        if found is None:
            raise Unknown(f"no record of call {id}")
        return RawEnvelope(PROTOCOL, name, found[0], msgspec.Raw(found[1]))


def _event(db: sqlite3.Connection, row: int, where: str, id: int, kind: str) -> tuple[int, bytes] | None:
    found: tuple[int, bytes] | None = db.execute(
        f"SELECT seq, body FROM event WHERE session = ? AND kind = ? AND {where} ORDER BY id DESC LIMIT 1",
        (row, kind, id),
    ).fetchone()
    return found


def _in_run(db: sqlite3.Connection, row: int, id: int) -> tuple[int, bytes] | None:
    found = _event(db, row, "id <= ?", id, "run")
    if found is None:
        return None
    run = _run.decode(found[1])
    if id >= run.first + len(run.like):
        return None
    like = _event(db, row, "id = ?", run.like[id - run.first], "call")
    return like and (found[0], msgspec.json.encode(told_whole(run, id, _call.decode(like[1]))))


def summary(db: sqlite3.Connection, kernel: str, session: str | None) -> Summary:
    with snapshot(db):
        row, name = find(db, kernel, session)
        path, began, seen, dropped = db.execute(
            "SELECT path, began, seen, dropped FROM session WHERE id = ?", (row,)
        ).fetchone()
        counts = _counts(db, row)
        state = _event(db, row, "id = ?", 0, "state")
    layers = [_layer(name, count) for name, count in counts.items()]
    layers.sort(key=lambda layer: (WORST_FIRST.index(layer.worst), -layer.calls))
    verdicts = {kind: sum(count[kind] for count in counts.values()) for kind in WORST_FIRST}
    return Summary(
        kernel=kernel,
        session=name,
        path=path,
        began=began,
        seen=seen,
        calls=sum(verdicts.values()),
        dropped=dropped,
        verdicts=Verdicts(**verdicts),
        layers=layers[:MAX_LAYERS],
        left_out=max(0, len(layers) - MAX_LAYERS),
        state=None if state is None else _state.decode(state[1]),
    )


def _counts(db: sqlite3.Connection, row: int) -> dict[str, dict[str, int]]:
    """Calls by name and worst verdict. Those told in short are unchecked, and have the name of what they are like."""
    counts: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(WORST_FIRST, 0))
    whole = "SELECT name, verdict, count(*) FROM event WHERE session = ? AND kind = 'call' GROUP BY name, verdict"
    for name, verdict, count in db.execute(whole, (row,)):
        counts[name][verdict] += count
    short = (
        "SELECT coalesce(e.name, '?'), sum(l.calls) FROM likeness l LEFT JOIN event e"
        " ON e.session = l.session AND e.kind = 'call' AND e.id = l.call WHERE l.session = ? GROUP BY 1"
    )
    for name, count in db.execute(short, (row,)):
        counts[name]["unchecked"] += count
    return counts


def _layer(name: str, count: dict[str, int]) -> Layer:
    return Layer(name, sum(count.values()), next(kind for kind in WORST_FIRST if count[kind]))
