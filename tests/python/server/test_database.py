"""The file is opened for its owner alone, brought to the present schema, and left alone if it is a newer one's."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path

import pytest
from tests.python.server.conftest import KERNEL, call, page, taken

from torchtwin.server import database, reading, store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "torchtwin" / "records.sqlite"


def test_a_new_file_is_made_with_its_folder_and_only_its_owner_may_read_it(path: Path) -> None:
    database.connect(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_it_is_in_wal_mode_and_has_the_present_version(path: Path) -> None:
    db = database.connect(path)
    assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert database.version(db) == database.VERSION
    db.close()


def test_an_older_file_is_migrated_with_what_it_holds(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    db = database.connect(path)
    store.put(db, [taken(page(call(1)))])
    db.close()
    monkeypatch.setattr(database, "MIGRATIONS", [*database.MIGRATIONS, "ALTER TABLE session ADD COLUMN mood TEXT"])
    monkeypatch.setattr(database, "VERSION", database.VERSION + 1)
    db = database.connect(path)
    assert db.execute("SELECT mood FROM session").fetchall() == [(None,)]
    assert database.version(db) == database.VERSION
    assert len(reading.page(db, KERNEL, None, 0, 10).envelopes) == 1
    db.close()


def test_a_migration_that_fails_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database.connect(path).close()
    broken = "ALTER TABLE session ADD COLUMN mood TEXT; SELECT nonsense"
    monkeypatch.setattr(database, "MIGRATIONS", [*database.MIGRATIONS, broken])
    known = database.VERSION
    monkeypatch.setattr(database, "VERSION", known + 1)
    with pytest.raises(sqlite3.OperationalError, match="nonsense"):
        database.connect(path)
    db = sqlite3.connect(path)
    assert database.version(db) == known
    assert "mood" not in [row[1] for row in db.execute("PRAGMA table_info(session)")]
    db.close()


def test_the_file_of_a_newer_version_is_refused_and_left_as_it_is(path: Path) -> None:
    db = database.connect(path)
    db.execute("PRAGMA user_version=99")
    db.close()
    before = path.read_bytes()
    for connect in (database.connect, database.connect_to_read):
        with pytest.raises(database.OtherVersion, match="version 99"):
            connect(path)
    assert path.read_bytes() == before


def test_who_reads_can_not_write(path: Path) -> None:
    database.connect(path).close()
    db = database.connect_to_read(path)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        db.execute("DELETE FROM session")
    db.close()


def test_to_read_makes_no_file(path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError):
        database.connect_to_read(path)
    assert not path.exists()


def test_a_path_with_signs_that_mean_something_in_an_address_is_read(tmp_path: Path) -> None:
    odd = tmp_path / "50% of #1?" / "records.sqlite"
    database.connect(odd).close()
    database.connect_to_read(odd).close()


@pytest.mark.parametrize("content", [b"no database" * 1000, os.urandom(5000)])
def test_what_is_no_database_is_known_as_corrupt(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(sqlite3.DatabaseError) as error:
        database.connect(path)
    assert database.is_corrupt(error.value)


def test_a_damaged_page_is_found_by_looking(path: Path) -> None:
    db = database.connect(path)
    store.put(db, [taken(page(*[call(id) for id in range(1, 200)]))])
    db.close()
    damaged = bytearray(path.read_bytes())
    damaged[8192:40960] = os.urandom(32768)
    path.write_bytes(damaged)
    with pytest.raises((database.Corrupt, sqlite3.DatabaseError)) as error:
        database.check(path)
    assert database.is_corrupt(error.value)


@pytest.mark.parametrize("error", [sqlite3.OperationalError("database is locked"), OSError(28, "no space"), KeyError()])
def test_other_errors_are_not_taken_for_corruption(error: Exception) -> None:
    assert not database.is_corrupt(error)


def test_a_healthy_file_passes(path: Path) -> None:
    database.connect(path).close()
    database.check(path)


def test_moved_aside_it_keeps_its_content_and_its_journal(path: Path) -> None:
    path.parent.mkdir()
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").write_text(f"content{suffix}")
    aside = database.move_aside(path)
    assert aside.parent == path.parent
    assert [Path(f"{aside}{suffix}").read_text() for suffix in ("", "-wal", "-shm")] == [
        "content",
        "content-wal",
        "content-shm",
    ]
    assert sorted(path.parent.iterdir()) == sorted(Path(f"{aside}{suffix}") for suffix in ("", "-wal", "-shm"))
