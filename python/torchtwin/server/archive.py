"""Answers from the store, each in a thread of a small pool with a connection of its own."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from torchtwin.server import database
from torchtwin.server.writer import Writer

THREADS = 2
T = TypeVar("T")


class Unavailable(Exception):
    """The store can't be read at the moment."""


class Archive:
    def __init__(self, path: Path, writer: Writer) -> None:
        self._path = path
        self._writer = writer
        self._pool = ThreadPoolExecutor(THREADS, "torchtwin-reader")

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Raises `Unavailable`, or what `work` raises."""
        if not self._path.exists():  # just started, or just taken away
            await self._writer.caught_up()
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._read, work)

    def stop(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        # To connect takes a fifth of a millisecond, and a file that was moved or replaced is never held on to.
        try:
            db = database.connect_to_read(self._path)
            try:
                return work(db)
            finally:
                db.close()
        except (sqlite3.Error, database.OtherVersion) as error:
            if database.is_corrupt(error):
                self._writer.suspect()
            raise Unavailable(f"the records can't be read: {error}") from error
