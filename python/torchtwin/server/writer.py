"""One thread that writes, so that neither a slow disk nor a lock holds up the server. What it can't write is told."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from torchtwin.server import database, store
from torchtwin.server.backlog import Backlog
from torchtwin.server.heard import Heard

EACH, TOTAL = 32_000_000, 128_000_000
"""Bytes that may wait to be written: of a kernel, and of all."""
AT_ONCE = 50
"""Pages in a transaction."""
RETENTION_SECONDS = 60.0
LONGEST_PAUSE = 30.0
"""Between two attempts at what fails, in seconds."""
STOP_SECONDS = 3.0
"""How long the end of the server waits for what is left."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Job:
    """Something to do in turn, after the pages that came before it."""

    work: Callable[[sqlite3.Connection], Any]
    result: Future[Any]


class Writer:
    def __init__(self, path: Path, max_age: float, max_bytes: float, log: logging.Logger) -> None:
        """`max_age` in seconds."""
        self.path = path
        self.problem: str | None = None
        """Why nothing is stored at the moment."""
        self.moved_aside: list[str] = []
        """Where corrupt files were moved to."""
        self.lost = 0
        """Pages that were not stored."""
        self._max_age = max_age
        self._max_bytes = max_bytes
        self._log = log
        self._backlog: Backlog[Heard | Job] = Backlog(EACH, TOTAL)
        self._db: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._retention: Iterator[None] = iter(())
        self._retained = 0.0
        self._stopping = threading.Event()
        self._deadline = float("inf")
        self._thread = threading.Thread(target=self._run, name="torchtwin-writer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Writes what is left, if that is soon done."""
        self._deadline = time.monotonic() + STOP_SECONDS
        self._stopping.set()
        self.submit(lambda db: None)  # so that it wakes
        self._thread.join(2 * STOP_SECONDS)

    def put(self, page: Heard) -> bool:
        """Whether there was room for it."""
        size = len(page.text) + sum(len(row.body) for row in page.rows)
        taken = self._backlog.put(page.kernel, page, size)
        if not taken:
            self._lose(1, "they came faster than they could be stored")
        return taken

    def submit(self, work: Callable[[sqlite3.Connection], T]) -> Future[T]:
        """Does `work` after what waits already. It is not repeated when it fails."""
        result: Future[T] = Future()
        self._backlog.put("", Job(work, result), 0)
        return result

    async def caught_up(self, seconds: float = 2.0) -> bool:
        """Waits until what has come so far is stored. Whether it is."""
        written = self.submit(lambda db: None)
        try:
            await asyncio.wait_for(asyncio.wrap_future(written), seconds)
        except (TimeoutError, sqlite3.Error, OSError, database.OtherVersion):
            return False
        return True

    def suspect(self) -> None:
        """Somebody who read found the file corrupt: have it looked at."""
        # With a connection of its own: the writer's has pages in memory that are no longer what is on the disk.
        self.submit(lambda db: database.check(self.path))

    def _run(self) -> None:
        while not (self._stopping.is_set() and time.monotonic() > self._deadline):
            idle = 0.0 if self._retaining() or self._stopping.is_set() else RETENTION_SECONDS
            items = self._backlog.take(AT_ONCE, timeout=idle)
            if not items and self._stopping.is_set():
                break
            self._do(items)
        self._close()

    def _do(self, items: list[Heard | Job]) -> None:
        pages: list[Heard] = []
        for item in items:
            if isinstance(item, Job):
                self._write(pages)
                pages = []
                self._try_job(item)
            else:
                pages.append(item)
        self._write(pages)

    def _write(self, pages: list[Heard]) -> None:
        """Tries until it succeeds, the server ends, or it is plain that it never will."""
        pause = 0.1
        while pages:
            try:
                store.put(self._open(), pages)
                self._well()
                return
            except (sqlite3.OperationalError, database.OtherVersion, OSError) as error:
                self._ill(error)
                if self._stopping.is_set():
                    self._lose(len(pages), f"the server ended: {error}")
                    return
                self._stopping.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            except Exception as error:
                if self._set_aside_if_corrupt(error):
                    continue
                self._log.exception("torchtwin: pages that can't be stored")
                self._lose(len(pages), str(error))
                return

    def _try_job(self, job: Job) -> None:
        if not job.result.set_running_or_notify_cancel():
            return
        try:
            job.result.set_result(job.work(self._open()))
        except Exception as error:
            self._set_aside_if_corrupt(error)
            job.result.set_exception(error)

    def _open(self) -> sqlite3.Connection:
        """The connection; anew where the file was taken away or replaced."""
        if self._db is not None and database.identity(self.path) != self._identity:
            self._close()
        if self._db is None:
            self._db = database.connect(self.path)
            self._identity = database.identity(self.path)
            self._retained = 0.0
        return self._db

    def _close(self) -> None:
        if self._db is not None:
            self._retention = iter(())
            self._db.close()
            self._db = None

    def _set_aside_if_corrupt(self, error: Exception) -> bool:
        """Whether that was it, and is done."""
        if not database.is_corrupt(error):
            return False
        # Another server on the same file may have moved it already.
        ours = self._db is None or database.identity(self.path) == self._identity
        self._close()
        if ours:
            try:
                aside = database.move_aside(self.path)
            except OSError as failure:
                self._ill(failure)
                return False
            self.moved_aside.append(str(aside))
            self._log.error("torchtwin: %s was corrupt (%s) and was moved to %s", self.path, error, aside)
        return True

    def _retaining(self) -> bool:
        """A little of what is due of letting go. Whether there is more to do at once."""
        if self._db is None or self._stopping.is_set():
            return False
        if time.monotonic() - self._retained > RETENTION_SECONDS:
            self._retained = time.monotonic()
            self._retention = store.retain(self._db, self._max_age, self._max_bytes)
        try:
            return next(self._retention, self) is None
        except Exception as error:
            self._retention = iter(())
            if not self._set_aside_if_corrupt(error):
                self._log.warning("torchtwin: old records can't be let go of: %s", error)
            return False

    def _ill(self, error: Exception) -> None:
        self._close()
        if self.problem != str(error):
            self._log.warning("torchtwin: nothing is stored in %s: %s", self.path, error)
        self.problem = str(error)

    def _well(self) -> None:
        if self.problem is not None:
            self._log.info("torchtwin: records are stored again")
        self.problem = None

    def _lose(self, pages: int, reason: str) -> None:
        if not self.lost:
            self._log.warning("torchtwin: pages were not stored: %s", reason)
        self.lost += pages
