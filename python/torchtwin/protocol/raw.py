"""A page as it passes through: who carries or keeps events need not read all of them, and leaves them as they came."""

from __future__ import annotations

from typing import Annotated

import msgspec

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
"""What JavaScript can count, and SQLite."""
Session = Annotated[str, msgspec.Meta(pattern="^[0-9A-Za-z_-]{1,64}$")]


class RawEnvelope(msgspec.Struct, frozen=True, gc=False):
    """An `Envelope` with its event as JSON."""

    protocol: int
    session: Session
    seq: Count
    event: msgspec.Raw


class RawPage(msgspec.Struct, frozen=True, gc=False):
    """A `Page` with its events as JSON."""

    protocol: int
    session: Session
    after: Count
    upto: Count
    latest: Count
    envelopes: list[RawEnvelope]


class Tagged(msgspec.Struct, frozen=True, gc=False):
    """What any event says of itself, of a kind that this version knows or not."""

    type: str
