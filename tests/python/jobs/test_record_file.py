"""The file of a job: whole lines, within bounds, and complete in its newest part."""

from __future__ import annotations

import itertools
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


def test_after_a_write_that_failed_halfway_the_next_is_whole(tmp_path: Path) -> None:
    file = RecordFile(tmp_path, header(), nothing)
    original = file._file

    class Full:
        name = original.name
        tell = original.tell

        def write(self, data: bytes) -> int:
            original.write(data[:9])
            raise OSError(28, "No space left on device")

    file._file = Full()  # type: ignore[assignment]
    with pytest.raises(OSError, match="No space left"):
        file.write(page(0, 1))
    file._file = original
    file.write(page(1, 3))
    file.close()
    reading = Reading(file.path)
    assert [it.seq for it in reading.more()] == [2, 3]
    assert reading.unreadable == 1


def test_a_line_of_a_newer_version_is_counted_and_passed_over(tmp_path: Path) -> None:
    file = RecordFile(tmp_path, header(), nothing)
    file._file.write(b'{"protocol":99,"session":"s","seq":1,"event":{"type":"dream"}}\n')
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


def test_the_oldest_jobs_of_a_folder_go_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_file, "MAX_JOBS", 3)
    (tmp_path / "notes.jsonl").write_text("mine")
    day = 86_400.0
    made = [RecordFile(tmp_path, header(started=n * day, rank=n % 2 or None), nothing) for n in range(1, 6)]
    for it in made:
        it.close()
    left = sorted(it.name for it in tmp_path.iterdir())
    assert left == sorted([".gitignore", "notes.jsonl", *(it.path.name for it in made[-3:])])


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
