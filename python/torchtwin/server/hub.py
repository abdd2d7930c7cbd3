"""Passes pages on to whoever watches a kernel now. For a slow one they wait, to a bound; then the store has them."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque

from torchtwin.server.heard import Heard

WAITING_BYTES = 16_000_000
"""Of pages, for one follower."""


class Follower:
    """The pages of one kernel, for one page that is open. Used on the event loop alone."""

    def __init__(self) -> None:
        self.behind = False
        """Whether pages were left out since the last look: they are to be had from the store."""
        self._waiting: deque[Heard] = deque()
        self._bytes = 0
        self._news = asyncio.Event()

    def put(self, page: Heard) -> None:
        self._waiting.append(page)
        self._bytes += len(page.text)
        if self._bytes > WAITING_BYTES:
            self.behind = True
            self._waiting.clear()
            self._bytes = 0
        self._news.set()

    async def next(self) -> Heard | None:
        """The oldest that waits, sooner or later; None when some were left out."""
        while not self._waiting and not self.behind:
            self._news.clear()
            await self._news.wait()
        if self.behind:
            self.behind = False
            return None
        page = self._waiting.popleft()
        self._bytes -= len(page.text)
        return page


class Hub:
    def __init__(self) -> None:
        self._followers: dict[str, set[Follower]] = defaultdict(set)

    def __len__(self) -> int:
        return sum(map(len, self._followers.values()))

    def follow(self, kernel: str) -> Follower:
        follower = Follower()
        self._followers[kernel].add(follower)
        return follower

    def leave(self, kernel: str, follower: Follower) -> None:
        self._followers[kernel].discard(follower)
        if not self._followers[kernel]:
            del self._followers[kernel]

    def publish(self, page: Heard) -> None:
        for follower in self._followers.get(page.kernel, ()):
            follower.put(page)
