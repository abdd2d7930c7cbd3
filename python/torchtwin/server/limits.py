"""How often the server may be asked."""

from __future__ import annotations

import time


class Rate:
    """`a_second` requests in the long run, and `burst` at once. Of all users: each token request is a new user."""

    def __init__(self, a_second: float, burst: int) -> None:
        self._a_second = a_second
        self._burst = burst
        self._left = float(burst)
        self._at = time.monotonic()

    def allows(self) -> bool:
        """Whether one more is in order. It counts if it is."""
        now = time.monotonic()
        self._left = min(self._burst, self._left + (now - self._at) * self._a_second)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
