"""A rate lets a burst through, then as many as time allows."""

from __future__ import annotations

import pytest

from torchtwin.server import limits
from torchtwin.server.backlog import Backlog


def test_a_burst_passes_then_one_for_each_share_of_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(limits.time, "monotonic", lambda: now[0])
    rate = limits.Rate(a_second=10, burst=3)
    assert [rate.allows() for _ in range(4)] == [True, True, True, False]
    now[0] += 0.1001
    assert [rate.allows(), rate.allows()] == [True, False]
    now[0] += 3600
    assert [rate.allows() for _ in range(4)] == [True, True, True, False]


def test_what_waits_comes_out_in_order_and_makes_room_again() -> None:
    backlog: Backlog[int] = Backlog(each=10, total=15)
    assert [backlog.put("a", it, 5) for it in (1, 2, 3)] == [True, True, False]
    assert [backlog.put("b", it, 5) for it in (4, 5)] == [True, False]
    assert backlog.take(2, 0) == [1, 2]
    assert backlog.put("a", 6, 10)
    assert backlog.take(9, 0) == [4, 6]
    assert backlog.take(9, 0) == []
