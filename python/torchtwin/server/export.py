"""A session's records, to keep: JSON Lines, an envelope in each, or one page of HTML."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec

from torchtwin.protocol import RawPage
from torchtwin.server import reading

Read = Callable[[Callable[[sqlite3.Connection], RawPage]], Awaitable[RawPage]]


async def pages(read: Read, kernel: str, session: str) -> AsyncIterator[RawPage]:
    """All that is stored, oldest first. An event that is replaced meanwhile may come again, newer."""
    after = 0
    while True:
        page = await read(lambda db, after=after: reading.page(db, kernel, session, after, 2_000))  # type: ignore[misc]
        if page.envelopes:
            yield page
        if page.upto >= page.latest:
            return
        after = page.upto


def lines(page: RawPage) -> bytes:
    return b"".join(msgspec.json.encode(envelope) + b"\n" for envelope in page.envelopes)
