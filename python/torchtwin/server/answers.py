"""What the server's routes answer, and take."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from torchtwin.protocol import State
from torchtwin.protocol.raw import Count, Session
from torchtwin.server.heard import Worst


class About(msgspec.Struct, frozen=True):
    version: str
    """Of the package that is installed now."""
    protocol: int
    roots: list[str]
    """The folder that the server shows, as written and with links resolved."""


class SessionRow(msgspec.Struct, frozen=True):
    """What is stored of one session: a kernel from start to restart."""

    session: str
    began: float
    """When the first page was heard, in seconds since the epoch."""
    seen: float
    """When the last was."""
    dropped: int
    """Calls that were let go, by age or for room."""
    calls: int
    upto: int
    """The newest sequence number that is stored."""
    gaps: int
    """How many stretches of sequence numbers were not heard or could not be stored."""


class KernelRow(msgspec.Struct, frozen=True):
    kernel: str
    path: str
    """Of its notebook or console; empty where that is not known."""
    running: bool
    listening: bool
    """Whether this server hears it. Kernels behind a gateway can't be heard."""
    sessions: list[SessionRow]
    """The newest first."""


class Storage(msgspec.Struct, frozen=True):
    """How the store fares."""

    file: str
    bytes: int
    problem: str | None
    """Why nothing can be stored at the moment."""
    moved_aside: list[str]
    """Corrupt files that were moved, since the server started."""
    lost: int
    """Pages that could not be stored, since the server started."""
    refused: int
    """Messages under our name that were no pages, or too many at once."""
    unknown: int
    """Events of a kind that this version does not know."""


class Kernels(msgspec.Struct, frozen=True):
    kernels: list[KernelRow]
    """Those that run or have records; the newest first."""
    left_out: int
    """Older sessions that are not listed."""
    storage: Storage


class Layer(msgspec.Struct, frozen=True):
    name: str
    calls: int
    worst: Worst


class Verdicts(msgspec.Struct, frozen=True):
    """Calls by the worst of their verdicts."""

    failed: int
    different: int
    rounding: int
    identical: int
    unchecked: int


class Summary(msgspec.Struct, frozen=True):
    kernel: str
    session: str
    path: str
    began: float
    seen: float
    calls: int
    """That are stored."""
    dropped: int
    verdicts: Verdicts
    layers: list[Layer]
    """Those with the worst verdicts first."""
    left_out: int
    """Layers that are not listed."""
    state: State | None
    """The watch, as it was told last."""


class Refusal(msgspec.Struct, frozen=True):
    """Any answer of 400 or more."""

    message: str
    reason: str | None = None


class OfSession(msgspec.Struct, frozen=True):
    session: Session | None = None
    """The kernel's newest where none is named."""


class After(msgspec.Struct, frozen=True):
    session: Session | None = None
    """The kernel's newest where none is named."""
    after: Count = 0
    """The last sequence number that is known."""


class RecordsAfter(msgspec.Struct, frozen=True):
    session: Session | None = None
    """The kernel's newest where none is named."""
    after: Count = 0
    """The last sequence number that is known."""
    limit: Annotated[int, msgspec.Meta(ge=1, le=2000)] = 2000
    """Of envelopes."""


class ExportOf(msgspec.Struct, frozen=True):
    session: Session | None = None
    """The kernel's newest where none is named."""
    format: Literal["jsonl", "html"] = "jsonl"


class Nothing(msgspec.Struct, frozen=True):
    """No parameters."""
