"""Reads the file of a job, while it is written or after."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from torchtwin.protocol import Envelope
from torchtwin.protocol.job import Header

_header = msgspec.json.Decoder(Header)
_envelope = msgspec.json.Decoder(Envelope)


@dataclass
class Reading:
    """Of one part of a file, from its beginning on; `more` gives what has been written since it was asked last."""

    path: Path
    header: Header | None = None
    """Null until its line is whole."""
    unreadable: int = 0
    """Lines that were torn, as by a full disk, or that a newer version wrote."""
    _offset: int = field(default=0, repr=False)
    _seq: int = field(default=0, repr=False)

    def more(self) -> Iterator[Envelope]:
        """Raises `OSError` where the file can't be read, as when the next part has taken its place."""
        with self.path.open("rb") as file:
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    return  # it is being written, or its writer was killed at it
                self._offset += len(line)
                envelope = self._decoded(line)
                # What follows a write that failed halfway is the same page again.
                if envelope is not None and envelope.seq > self._seq:
                    self._seq = envelope.seq
                    yield envelope

    def _decoded(self, line: bytes) -> Envelope | None:
        try:
            if self.header is None:
                self.header = _header.decode(line)
                return None
            return _envelope.decode(line) if line.strip() else None
        except msgspec.DecodeError:
            self.unreadable += 1
            return None
