"""How often somebody may ask."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass

MOST_USERS = 1_000


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class Rate:
    """For each user `a_second` requests in the long run, and `burst` at once."""

    def __init__(self, a_second: float, burst: int) -> None:
        self._a_second = a_second
        self._burst = burst
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def allows(self, user: str) -> bool:
        """Whether one more is in order. It counts if it is."""
        now = time.monotonic()
        bucket = self._buckets.pop(user, None) or _Bucket(self._burst, now)
        self._buckets[user] = bucket
        if len(self._buckets) > MOST_USERS:
            self._buckets.popitem(last=False)
        bucket.left = min(self._burst, bucket.left + (now - bucket.at) * self._a_second)
        bucket.at = now
        if bucket.left < 1:
            return False
        bucket.left -= 1
        return True
