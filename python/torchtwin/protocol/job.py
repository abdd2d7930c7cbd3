"""A file of what one process recorded: a `Header` in its first line, an `Envelope` in each other one, as JSON."""

from __future__ import annotations

import msgspec


class Header(msgspec.Struct, frozen=True, gc=False, tag="job"):
    """Which process this was. A later part of its file begins with all that was still kept when the part was begun."""

    protocol: int
    session: str
    torchtwin: str
    """Version."""
    program: str
    """The script as it was named, or `-m` and the module."""
    arguments: list[str]
    folder: str
    """In which it was started."""
    pid: int
    started: float
    """Seconds since the epoch."""
    rank: int | None = None
    """Of several processes that do one job; null for one alone."""
    ranks: int | None = None
    """How many these are."""
    job: str | None = None
    """The same in all of them."""
    part: int = 1
