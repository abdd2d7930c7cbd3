"""The file that a job's records go to: it can be read at any moment, also after the process was killed."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from torchtwin.jobs.part import Part, is_written
from torchtwin.protocol import Page
from torchtwin.protocol.job import Header

FOLDER = ".torchtwin"
"""Where the files are put, in the folder in which a job is started."""
MAX_BYTES = 2**26
"""Of one part. What is kept of a session takes less: some 20 MB for 10,000 calls told whole."""
MAX_JOBS = 50
"""Whose files are kept in a folder, the newest, and those that are still written."""
PATIENCE = 86_400.0
"""Seconds that a file counts as written after its last line, on a file system without locks."""
MAX_EVENTS = 2_000
"""That are asked for at once."""
_NAME = re.compile(r"(?P<job>\d{8}-\d{6}-\d+(-rank(?P<rank>\d+))?)(\.(?P<part>\d+))?\.jsonl")


class RecordFile:
    """Takes pages. A process that is killed loses the last at most."""

    def __init__(self, folder: Path, header: Header, replay: Callable[[int, int], Page]) -> None:
        """`replay` gives what the session still keeps after a sequence number, in pages of so many events.

        Raises:
            OSError: the folder or the file can't be made.
        """
        folder = folder.absolute()  # the program may change into another
        _make(folder)
        self._header = header
        self._replay = replay
        self._stem = folder / _stem(header)
        self._part = self._begun(header)
        self._full = MAX_BYTES
        _forget_oldest(folder, header.rank)

    @property
    def path(self) -> Path:
        """Of the present part."""
        return self._part.path

    def write(self, page: Page) -> None:
        """Raises `OSError`, as of a full disk, after which it can be called again, with that page first."""
        if self._part.size <= self._full or not self._next_part(page.upto):
            self._part.append(page.envelopes)

    def close(self) -> None:
        self._part.close()

    def _next_part(self, upto: int) -> bool:
        """Begins with all that is still kept, so that the part before it is not needed any more.

        Returns whether it could be made: else it is tried again when the present one, which stays, has grown further.
        """
        header = msgspec.structs.replace(self._header, part=self._header.part + 1)
        try:
            part = self._begun(header)
            self._fill(part, upto)
        except OSError:
            if self._full >= 2 * MAX_BYTES:
                raise
            self._full += MAX_BYTES // 4
            return False
        self._part.remove()
        self._header, self._part, self._full = header, part, MAX_BYTES
        return True

    def _fill(self, part: Part, upto: int) -> None:
        after = 0
        try:
            while after < upto:
                page = self._replay(after, MAX_EVENTS)
                part.append(page.envelopes)
                if page.upto <= after:
                    break
                after = page.upto
        except BaseException:
            part.remove()
            raise

    def _begun(self, header: Header) -> Part:
        part = f".{header.part}" if header.part > 1 else ""
        return Part(Path(f"{self._stem}{part}.jsonl"), header)


def _stem(header: Header) -> str:
    started = time.strftime("%Y%m%d-%H%M%S", time.localtime(header.started))
    rank = "" if header.rank is None else f"-rank{header.rank}"
    return f"{started}-{header.pid}{rank}"


def _make(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    ignored = folder / ".gitignore"
    if not ignored.exists():
        ignored.write_text("*\n")


def _forget_oldest(folder: Path, rank: int | None) -> None:
    """Of the same rank, as a job has one file of each."""
    names = (_NAME.fullmatch(it.name) for it in folder.iterdir())
    files = sorted(it[0] for it in names if it and it["rank"] == (None if rank is None else str(rank)))
    for name in files[:-MAX_JOBS]:
        with contextlib.suppress(OSError):  # another job that begins may be about to remove the same
            if not _is_needed(folder / name):
                os.remove(folder / name)


def _is_needed(path: Path) -> bool:
    try:
        return is_written(path)
    except OSError:
        return time.time() - path.stat().st_mtime < PATIENCE
