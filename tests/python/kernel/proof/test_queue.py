"""Verdicts that are still to come: none is lost, and nobody waits for one who need not."""

from __future__ import annotations

import math
import threading
from typing import Any

import pytest
import torch

from torchtwin.kernel.proof import excerpt, queue
from torchtwin.kernel.proof.bounds import arithmetic
from torchtwin.kernel.proof.pending import Pending
from torchtwin.kernel.proof.probe import Silent, probe
from torchtwin.kernel.proof.product import Product
from torchtwin.kernel.proof.queue import Queue
from torchtwin.protocol import Verdict

Told = list[tuple[int, str, str]]


def silent() -> Silent:
    product = Product(torch.randn(40, 64), torch.randn(12, 64), None)
    found = probe(product, product.evaluate(), arithmetic(torch.float32, product.left.device))
    assert isinstance(found, Silent)
    return found


@pytest.fixture
def told() -> Told:
    return []


@pytest.fixture
def waiting(told: Told, monkeypatch: pytest.MonkeyPatch) -> Queue:
    """Of three calls."""
    monkeypatch.setattr(queue, "PATIENCE", math.inf)
    made = Queue(lambda call, operand, verdict: told.append((call, operand, verdict.kind)))
    for call in range(3):
        made.add(call, "weight", silent())
    return made


def calls(told: Told) -> list[int]:
    return [call for call, _, kind in told if kind in ("identical", "rounding")]


def test_excerpts_wait_for_others_until_somebody_asks(waiting: Queue, told: Told) -> None:
    waiting.settle(wait=False)
    assert told == []
    waiting.settle(wait=True)
    assert calls(told) == [0, 1, 2]
    waiting.settle(wait=True)
    assert len(told) == 3


def test_they_do_not_wait_for_long(waiting: Queue, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "PATIENCE", -1.0)
    waiting.settle(wait=False)
    assert calls(told) == [0, 1, 2]


def test_nor_until_they_are_many(waiting: Queue, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "MAX_ELEMENTS", 4 * silent().excerpt.elements - 1)
    waiting.add(3, "weight", silent())
    assert calls(told) == [0, 1, 2, 3]
    waiting.add(4, "weight", silent())
    assert calls(told) == [0, 1, 2, 3]


def test_a_fault_of_ours_leaves_none_on_its_way(waiting: Queue, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(*_: Any) -> Any:
        raise ValueError("ours")

    monkeypatch.setattr(queue, "concluded", fault)
    with pytest.raises(ValueError, match="ours"):
        waiting.settle(wait=True)
    assert told == [(call, "weight", "unchecked") for call in range(3)]


def test_after_a_fault_in_telling_one_it_and_the_others_are_told_again(told: Told) -> None:
    def tell(call: int, operand: str, verdict: Verdict) -> None:
        told.append((call, operand, verdict.kind))
        if len(told) == 2:
            raise ValueError("ours")

    made = Queue(tell)
    for call in range(3):
        made.add(call, "weight", silent())
    with pytest.raises(ValueError, match="ours"):
        made.settle(wait=True)
    made.settle(wait=True)
    assert calls(told) == [0, 1, 1, 2]


def test_what_an_interrupt_kept_from_being_added_is_told_as_unchecked(waiting: Queue, told: Told) -> None:
    waiting.expect(7, "output")
    waiting.settle(wait=False)
    assert told == []
    waiting.settle(wait=True)
    assert told[3:] == [(7, "output", "unchecked")]
    waiting.expect(8, "output")
    waiting.add(8, "output", silent())
    waiting.settle(wait=True)
    assert told[4:] == [(8, "output", told[4][2])]
    assert told[4][2] in ("identical", "rounding")


def test_an_interrupt_loses_none(waiting: Queue, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(queue, "concluded", interrupted)
        with pytest.raises(KeyboardInterrupt):
            waiting.settle(wait=True)
    waiting.settle(wait=True)
    assert calls(told) == [0, 1, 2]


def test_who_asks_for_all_waits_for_another_thread_that_tells_some(told: Told) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slowly(call: int, operand: str, verdict: Verdict) -> None:
        begun.set()
        go_on.wait(20)
        told.append((call, operand, verdict.kind))

    made = Queue(slowly)
    made.add(1, "input", silent())
    other = threading.Thread(target=made.settle, args=[True])
    other.start()
    assert begun.wait(20)
    threading.Timer(0.05, go_on.set).start()
    made.settle(wait=True)
    assert calls(told) == [1]
    other.join()


def test_of_two_backward_passes_the_verdict_of_the_newer_stays(waiting: Queue, told: Told) -> None:
    waiting.add(1, "weight", silent())
    waiting.overtake(2, "weight")  # by one that was told at once
    waiting.add(2, "input", silent())
    waiting.settle(wait=True)
    assert [(call, operand) for call, operand, _ in told] == [(0, "weight"), (1, "weight"), (2, "input")]


def test_no_verdict_is_given_where_the_processor_rounds_in_another_way(
    waiting: Queue, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(queue, "PATIENCE", -1.0)
        patch.setattr(excerpt.Excerpt, "can_be_judged_here", lambda it: False)
        waiting.settle(wait=False)  # as in a thread of ours
    assert told == []
    waiting.settle(wait=True)
    assert calls(told) == [0, 1, 2]
    monkeypatch.setattr(excerpt.Excerpt, "can_be_judged_here", lambda it: False)
    waiting.add(3, "weight", silent())
    waiting.settle(wait=True)
    assert told[3:] == [(3, "weight", "unchecked")]


def test_at_the_end_excerpts_are_judged_and_a_device_is_not_waited_for(waiting: Queue, told: Told) -> None:
    unanswered = OnADevice()
    waiting.add(3, "input", unanswered)
    waiting.end("it is over")
    assert calls(told) == [0, 1, 2]
    assert told[3:] == [(3, "input", "unchecked")]
    assert unanswered.is_dropped


class OnADevice(Pending):
    """That never answers."""

    def __init__(self) -> None:
        super().__init__(torch.ones(1), lambda _: None, lambda: Verdict("identical", ""), [])
        self.is_dropped = False

    def ready(self) -> bool:
        return False

    def drop(self) -> None:
        super().drop()
        self.is_dropped = True


def test_in_the_child_of_a_fork_excerpts_are_judged_and_a_device_is_not_waited_for(waiting: Queue, told: Told) -> None:
    unanswered = OnADevice()
    waiting.add(3, "input", unanswered)
    waiting._lock.acquire()  # by a thread that the child does not have
    other = threading.Thread(target=lambda: (waiting.forked(), waiting.settle(wait=True)))
    other.start()
    other.join(20)
    assert told[0] == (3, "input", "unchecked")
    assert unanswered.is_dropped
    assert calls(told) == [0, 1, 2]


def test_of_too_many_on_a_device_the_oldest_is_given_up(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "MAX_PENDING", 2)
    made = Queue(lambda call, operand, verdict: told.append((call, operand, verdict.kind)))
    of_calls = [OnADevice() for _ in range(3)]
    for call, it in enumerate(of_calls):
        made.add(call, "input", it)
    assert [it.is_dropped for it in of_calls] == [True, False, False]
    assert told == [(0, "input", "unchecked")]
