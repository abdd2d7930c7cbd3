"""The file of a job: whole lines, within bounds, and complete in its newest part."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from torchtwin.jobs import record_file
from torchtwin.jobs.reading import Reading
from torchtwin.jobs.record_file import RecordFile
from torchtwin.protocol import PROTOCOL, Cleared, Envelope, Page
from torchtwin.protocol.job import Header

SESSION = "s"


def header(started: float = 0.0, rank: int | None = None) -> Header:
    return Header(PROTOCOL, SESSION, "1.0", "train.py", ["--lr", "1"], "/tmp", 7, started, rank)


def page(after: int, upto: int) -> Page:
    events = [Envelope(PROTOCOL, SESSION, seq, Cleared(seq)) for seq in range(after + 1, upto + 1)]
    return Page(PROTOCOL, SESSION, after, upto, upto, events)


def nothing(after: int, limit: int) -> Page:
    raise AssertionError("nothing is asked for again")


def numbers(path: Path) -> list[int]:
    return [it.seq for it in Reading(path).more()]


def test_what_is_written_can_be_read_at_once(tmp_path: Path) -> None:
    file = RecordFile(tmp_path, header(), nothing)
    reading = Reading(file.path)
    assert list(reading.more()) == []
    assert reading.header == header()
    file.write(page(0, 2))
    assert [it.event for it in reading.more()] == [Cleared(1), Cleared(2)]
    file.write(page(2, 3))
    assert [it.seq for it in reading.more()] == [3]
    assert list(reading.more()) == []
    file.close()


def test_a_line_that_was_cut_off_is_read_when_it_is_whole(tmp_path: Path) -> None:
    file = RecordFile(tmp_path, header(), nothing)
    file.write(page(0, 2))
    file.close()
    whole = file.path.read_bytes()
    file.path.write_bytes(whole[:-5])
    reading = Reading(file.path)
    assert [it.seq for it in reading.more()] == [1]
    file.path.write_bytes(whole)
    assert [it.seq for it in reading.more()] == [2]
    assert reading.unreadable == 0


@contextlib.contextmanager
def full_after(path: Path, more: int) -> Iterator[None]:
    """As on a disk that has room for so many bytes: a write takes these, and only the next one fails."""
    resource = pytest.importorskip("resource", reason="no limits on this system")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + more, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_write_that_took_a_piece_fails_and_the_page_given_again_is_read_once(tmp_path: Path) -> None:
    file = RecordFile(tmp_path, header(), nothing)
    line = len(msgspec.json.encode(page(0, 1).envelopes[0])) + 1
    with full_after(file.path, line + line // 2), pytest.raises(OSError, match="File too large"):
        file.write(page(0, 3))
    file.write(page(0, 5))
    file.close()
    reading = Reading(file.path)
    assert [it.seq for it in reading.more()] == [1, 2, 3, 4, 5]
    assert reading.unreadable == 1


def test_a_header_for_which_there_is_no_room_leaves_no_file(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("*\n")
    with full_after(tmp_path / ".gitignore", 9), pytest.raises(OSError, match="File too large"):
        RecordFile(tmp_path, header(), nothing)
    assert [it.name for it in tmp_path.iterdir()] == [".gitignore"]


def test_a_name_that_is_no_unicode_is_written_as_far_as_it_is(tmp_path: Path) -> None:
    file = RecordFile(tmp_path, msgspec.structs.replace(header(), program="caf\udce9.py"), nothing)
    file.close()
    reading = Reading(file.path)
    assert list(reading.more()) == []
    assert reading.header is not None
    assert reading.header.program == "caf?.py"


def test_a_line_of_a_newer_version_is_counted_and_passed_over(tmp_path: Path) -> None:
    file = RecordFile(tmp_path, header(), nothing)
    file._part._file.write(b'{"protocol":99,"session":"s","seq":1,"event":{"type":"dream"}}\n')
    file.write(page(1, 2))
    file.close()
    reading = Reading(file.path)
    assert ([it.seq for it in reading.more()], reading.unreadable) == ([2], 1)


def test_a_part_that_is_full_is_followed_by_one_with_all_that_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def replay(after: int, limit: int) -> Page:
        asked.append(after)
        kept = max(after, 3)  # the first three fell off
        return page(kept, min(kept + 2, 9))

    monkeypatch.setattr(record_file, "MAX_BYTES", 600)
    file = RecordFile(tmp_path, header(), replay)
    first = file.path
    for after in range(9):
        file.write(page(after, after + 1))
        if file.path != first:
            break
    reading = Reading(file.path)
    seqs = [it.seq for it in reading.more()]
    assert seqs == list(range(4, 4 + len(seqs)))
    assert seqs[-1] >= after + 1
    assert reading.header is not None
    assert (reading.header.part, reading.header.session) == (2, SESSION)
    assert asked[0] == 0
    assert file.path.name.endswith(".2.jsonl")
    assert not first.exists()
    file.close()


def fill(file: RecordFile, upto: int) -> None:
    for after in range(upto):
        file.write(page(after, after + 1))


def test_where_the_next_part_cannot_be_made_the_present_one_goes_on_within_twice_the_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(after: int, limit: int) -> Page:
        if after:
            raise OSError(28, "No space left on device")
        return page(0, 1)

    monkeypatch.setattr(record_file, "MAX_BYTES", 600)
    file = RecordFile(tmp_path, header(), broken)
    first = file.path
    with pytest.raises(OSError, match="No space left"):
        fill(file, 100)
    written = len(numbers(first))
    assert file.path == first
    assert numbers(first) == list(range(1, written + 1))
    assert 1200 < first.stat().st_size < 1400
    assert list(tmp_path.glob("*.jsonl")) == [first]
    monkeypatch.setattr(file, "_replay", lambda after, limit: page(after, written + 1))
    file.write(page(written, written + 1))
    assert file.path.name.endswith(".2.jsonl")
    assert numbers(file.path) == list(range(1, written + 2))
    file.close()


def test_the_next_part_stands_beside_the_first_wherever_the_program_has_changed_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_file, "MAX_BYTES", 1)
    monkeypatch.chdir(tmp_path)
    file = RecordFile(Path("records"), header(), lambda after, limit: page(after, after + 1))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    file.write(page(0, 1))
    file.close()
    assert [it.name for it in (tmp_path / "records").glob("*.jsonl")] == [file.path.name]
    assert file.path.name.endswith(".2.jsonl")


def begun(folder: Path, job: int, rank: int | None = None) -> RecordFile:
    return RecordFile(folder, header(started=job * 86_400.0, rank=rank), nothing)


def test_the_oldest_jobs_of_a_folder_go_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_file, "MAX_JOBS", 3)
    (tmp_path / "notes.jsonl").write_text("mine")
    made = []
    for job in range(1, 6):
        made.append(begun(tmp_path, job))
        made[-1].close()
    left = sorted(it.name for it in tmp_path.iterdir())
    assert left == sorted([".gitignore", "notes.jsonl", *(it.path.name for it in made[-3:])])


def test_each_rank_keeps_its_file_however_many_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_file, "MAX_JOBS", 2)
    made = {}
    for job, rank in itertools.product(range(1, 4), range(5)):
        made[job, rank] = begun(tmp_path, job, rank)
        made[job, rank].close()
    assert {key for key, it in made.items() if it.path.exists()} == {(job, rank) for job in (2, 3) for rank in range(5)}


def test_a_file_that_is_still_written_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("fcntl", reason="no locks on this system")
    monkeypatch.setattr(record_file, "MAX_JOBS", 1)
    long = begun(tmp_path, 1)
    short = [begun(tmp_path, job) for job in (2, 3)]
    assert [it.path.exists() for it in (long, *short)] == [True, True, True]
    for it in (long, *short):
        it.close()
    begun(tmp_path, 4).close()
    assert not any(it.path.exists() for it in (long, *short))


def test_where_locks_are_not_known_a_file_stays_for_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(path: Path) -> bool:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(record_file, "MAX_JOBS", 1)
    monkeypatch.setattr(record_file, "is_written", unknown)
    old, new = begun(tmp_path, 1), begun(tmp_path, 2)
    os.utime(old.path, (0, 0))
    for it in (old, new, begun(tmp_path, 3)):
        it.close()
    assert (old.path.exists(), new.path.exists()) == (False, True)


def test_git_does_not_see_the_folder(tmp_path: Path) -> None:
    RecordFile(tmp_path / "a" / ".torchtwin", header(), nothing).close()
    assert (tmp_path / "a" / ".torchtwin" / ".gitignore").read_text() == "*\n"


def test_the_rank_is_in_the_name_and_in_the_header(tmp_path: Path) -> None:
    files = [RecordFile(tmp_path, header(rank=rank), nothing) for rank in (0, 1)]
    assert [it.path.name.endswith(f"-7-rank{rank}.jsonl") for rank, it in enumerate(files)] == [True, True]
    heads = [msgspec.json.decode(it.path.read_bytes(), type=Header) for it in files]
    assert [it.rank for it in heads] == [0, 1]
    assert all(one != two for one, two in itertools.pairwise(heads))
    for it in files:
        it.close()
