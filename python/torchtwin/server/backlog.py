"""What waits for a thread: bounded in all, and for each kernel, so that one that floods leaves room for the others."""

from __future__ import annotations

import threading
from collections import Counter, deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Backlog(Generic[T]):
    def __init__(self, each: int, total: int) -> None:
        """Bytes that may wait: of one kernel, and of all."""
        self._each = each
        self._total = total
        self._waiting: deque[tuple[str, int, T]] = deque()
        self._bytes: Counter[str] = Counter()
        self._changed = threading.Condition()

    def put(self, kernel: str, item: T, size: int) -> bool:
        """Whether there was room for it."""
        with self._changed:
            if self._bytes[kernel] + size > self._each or self._bytes.total() + size > self._total:
                return False
            self._bytes[kernel] += size
            self._waiting.append((kernel, size, item))
            self._changed.notify()
            return True

    def take(self, most: int, timeout: float) -> list[T]:
        """The oldest that wait, at most so many; none if nothing comes within `timeout` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting, timeout)
            taken = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
            for kernel, size, _ in taken:
                self._bytes[kernel] -= size
            self._bytes += Counter()  # without those at zero
            return [item for _, _, item in taken]
