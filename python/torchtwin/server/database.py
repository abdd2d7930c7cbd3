"""The SQLite file: opened, brought to the present schema, moved aside where it is corrupt."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

BUSY_SECONDS = 2.0
"""How long a statement waits for another process that writes."""
# The indices hold all that counting reads: a row is some kilobytes, and there may be a hundred thousand.
MIGRATIONS = [
    """
    CREATE TABLE session (
        id INTEGER PRIMARY KEY,
        kernel TEXT NOT NULL,
        session TEXT NOT NULL,
        path TEXT NOT NULL DEFAULT '',
        began REAL NOT NULL,
        seen REAL NOT NULL,
        cleared INTEGER NOT NULL DEFAULT 0,
        dropped INTEGER NOT NULL DEFAULT 0,
        UNIQUE (kernel, session)
    );
    CREATE TABLE event (
        session INTEGER NOT NULL REFERENCES session ON DELETE CASCADE,
        kind TEXT NOT NULL,
        id INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        at REAL NOT NULL,
        calls INTEGER NOT NULL,
        name TEXT NOT NULL,
        verdict TEXT NOT NULL,
        body BLOB NOT NULL,
        UNIQUE (session, kind, id)
    );
    CREATE INDEX event_by_seq ON event (session, seq, calls);
    CREATE INDEX event_by_name ON event (session, kind, name, verdict);
    CREATE TABLE likeness (
        session INTEGER NOT NULL REFERENCES session ON DELETE CASCADE,
        call INTEGER NOT NULL,
        run INTEGER NOT NULL,
        calls INTEGER NOT NULL,
        PRIMARY KEY (session, call, run)
    ) WITHOUT ROWID;
    CREATE INDEX likeness_by_run ON likeness (session, run);
    CREATE TABLE span (
        session INTEGER NOT NULL REFERENCES session ON DELETE CASCADE,
        after INTEGER NOT NULL,
        upto INTEGER NOT NULL,
        PRIMARY KEY (session, after)
    ) WITHOUT ROWID;
    """,
]
"""Each brings the schema from the version that is its place to the next. Never changed once released, only added to."""
VERSION = len(MIGRATIONS)


class OtherVersion(Exception):
    """The file has another schema: that of a newer Torchtwin, which is left as it is, or not yet the present one."""


def connect(path: Path) -> sqlite3.Connection:
    """For writing; the file is made where there is none. Raises `sqlite3.Error`, `OSError` or `OtherVersion`."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):  # records hold the user's values: nobody else may read them
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    db = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        if (found := version(db)) > VERSION:
            raise OtherVersion(_version_text(found))
        _settle(db)
        migrate(db)
    except BaseException:
        db.close()
        raise
    return db


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Raises `sqlite3.Error` where there is no file, and `OtherVersion`."""
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        db.execute("PRAGMA query_only=ON")
        if (found := version(db)) != VERSION:
            raise OtherVersion(_version_text(found))
    except BaseException:
        db.close()
        raise
    return db


def _settle(db: sqlite3.Connection) -> None:
    # These two are heeded by an empty file alone. A call takes some 3 kB: in larger pages it is written twice as fast.
    db.execute("PRAGMA page_size=16384")
    db.execute("PRAGMA auto_vacuum=INCREMENTAL")
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=NORMAL")
    db.execute("PRAGMA journal_size_limit=16000000")
    db.execute("PRAGMA foreign_keys=ON")


def version(db: sqlite3.Connection) -> int:
    found: int = db.execute("PRAGMA user_version").fetchone()[0]
    return found


def _version_text(found: int) -> str:
    return f"the file has version {found} of the schema, and this Torchtwin reads {VERSION}"


def migrate(db: sqlite3.Connection) -> None:
    """Each step in a transaction of its own, so that two servers that start at once don't both take it."""
    while version(db) < VERSION:
        db.execute("BEGIN IMMEDIATE")
        try:
            found = version(db)
            if found < VERSION:
                for statement in MIGRATIONS[found].split(";"):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version={found + 1}")
            db.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            raise


class Corrupt(Exception):
    """Found by looking for it."""


def check(path: Path) -> None:
    """Raises `Corrupt`, or what SQLite raises."""
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as db:
        found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise Corrupt(found)


def is_corrupt(error: BaseException) -> bool:
    if isinstance(error, Corrupt):
        return True
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def identity(path: Path) -> tuple[int, int] | None:
    """Which file lies there; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def move_aside(path: Path) -> Path:
    """Moves the file, with what belongs to it, to a name beside it, and returns that."""
    aside = path.with_name(f"{path.name}.corrupt-{time.strftime('%Y%m%d-%H%M%S')}-{os.urandom(2).hex()}")
    os.replace(path, aside)
    for suffix in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            os.replace(f"{path}{suffix}", f"{aside}{suffix}")
    return aside
