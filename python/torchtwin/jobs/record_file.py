"""The file that a job's records go to: it can be read at any moment, also after the process was killed."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import msgspec

from torchtwin.protocol import Page
from torchtwin.protocol.job import Header

FOLDER = ".torchtwin"
"""Where the files are put, in the folder in which a job is started."""
MAX_BYTES = 2**26
"""Of one part. What is kept of a session takes less: some 20 MB for 10,000 calls told whole."""
MAX_JOBS = 50
"""Files that are kept in a folder, the newest."""
MAX_EVENTS = 2_000
"""That are asked for at once."""
_NAME = re.compile(r"(?P<job>\d{8}-\d{6}-\d+(-rank\d+)?)(\.(?P<part>\d+))?\.jsonl")


class RecordFile:
    """Takes pages. Each goes to the file whole, in one write, so a process that is killed loses the last at most."""

    def __init__(self, folder: Path, header: Header, replay: Callable[[int, int], Page]) -> None:
        """`replay` gives what the session still keeps after a sequence number, in pages of so many events.

        Raises:
            OSError: the folder or the file can't be made.
        """
        _make(folder)
        self._header = header
        self._replay = replay
        self._stem = folder / _stem(header)
        self._file = self._begun(header)
        self._is_torn = False
        _forget_oldest(folder)

    @property
    def path(self) -> Path:
        """Of the present part."""
        return Path(self._file.name)

    def write(self, page: Page) -> None:
        """Raises `OSError`, as of a full disk, after which it can be called again."""
        if self._file.tell() > MAX_BYTES:
            self._next_part(page.upto)
        else:
            self._append(page)

    def close(self) -> None:
        self._file.close()

    def _append(self, page: Page) -> None:
        lines = b"".join(msgspec.json.encode(it) + b"\n" for it in page.envelopes)
        # A write that failed may have left half a line.
        torn, self._is_torn = self._is_torn, True
        self._file.write(b"\n" + lines if torn else lines)
        self._is_torn = False

    def _next_part(self, upto: int) -> None:
        """Begins with all that is still kept, so that the part before it is not needed any more."""
        before = self._file
        self._header = msgspec.structs.replace(self._header, part=self._header.part + 1)
        self._file = self._begun(self._header)
        after = 0
        while after < upto:
            page = self._replay(after, MAX_EVENTS)
            self._append(page)
            if page.upto <= after:
                break
            after = page.upto
        before.close()
        Path(before.name).unlink(missing_ok=True)

    def _begun(self, header: Header) -> BinaryIO:
        part = f".{header.part}" if header.part > 1 else ""
        # Unbuffered: what was written is in the hands of the system, whatever becomes of this process.
        file = open(f"{self._stem}{part}.jsonl", "ab", buffering=0)  # noqa: SIM115
        file.write(msgspec.json.encode(header) + b"\n")
        return file


def _stem(header: Header) -> str:
    started = time.strftime("%Y%m%d-%H%M%S", time.localtime(header.started))
    rank = "" if header.rank is None else f"-rank{header.rank}"
    return f"{started}-{header.pid}{rank}"


def _make(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    ignored = folder / ".gitignore"
    if not ignored.exists():
        ignored.write_text("*\n")


def _forget_oldest(folder: Path) -> None:
    """Several ranks begin at once, and may each be about to remove the same."""
    names = sorted(it.name for it in folder.iterdir() if _NAME.fullmatch(it.name))
    for name in names[:-MAX_JOBS]:
        with contextlib.suppress(OSError):
            os.remove(folder / name)
