"""One file on the disk: its header, then what was written, whole lines whatever fails."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from pathlib import Path

import msgspec

from torchtwin.protocol import Envelope
from torchtwin.protocol.job import Header

try:
    import fcntl
except ImportError:  # on Windows, where a file that is open can't be removed
    fcntl = None  # type: ignore[assignment]


class Part:
    """Is locked while it is written, so that others in the folder leave it there."""

    def __init__(self, path: Path, header: Header) -> None:
        """Raises `OSError` where it can't be made, and leaves none behind."""
        self.path = path
        # Unbuffered: what was written is in the hands of the system, whatever becomes of this process.
        self._file = open(path, "ab", buffering=0)  # noqa: SIM115
        self._is_torn = False
        _lock(self._file.fileno())
        try:
            self._write(_line(header))
        except OSError:
            self.remove()
            raise

    @property
    def size(self) -> int:
        return self._file.tell()

    def append(self, envelopes: Iterable[Envelope]) -> None:
        """Raises `OSError`, as of a full disk, after which some of them may be there, and the last of these torn."""
        lines = b"".join(map(_line, envelopes))
        torn, self._is_torn = self._is_torn, True
        self._write(b"\n" + lines if torn else lines)
        self._is_torn = False

    def close(self) -> None:
        self._file.close()

    def remove(self) -> None:
        self.close()
        with contextlib.suppress(OSError):
            self.path.unlink()

    def _write(self, data: bytes) -> None:
        """A disk that becomes full takes a piece of it first, and complains only of the rest."""
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]


def is_written(path: Path) -> bool:
    """Whether its process still writes to it. Raises `OSError` where that can't be known."""
    if fcntl is None:
        return False
    with path.open("r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _lock(file: int) -> None:
    if fcntl is not None:
        with contextlib.suppress(OSError):  # some file systems of clusters know no locks
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _line(it: Header | Envelope) -> bytes:
    try:
        return msgspec.json.encode(it) + b"\n"
    except UnicodeEncodeError:  # the name of a file may be no Unicode
        return json.dumps(msgspec.to_builtins(it), ensure_ascii=False).encode("utf-8", "replace") + b"\n"
