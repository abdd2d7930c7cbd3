"""Code that takes too long is given up, and no late exception hits what follows."""

from __future__ import annotations

import contextlib
import threading
import time

import pytest

from torchtwin.kernel.paused.limit import GivenUp, Limit


def endless() -> None:
    while True:
        pass


def stubborn() -> None:
    with contextlib.suppress(Exception):
        endless()


def test_a_loop_is_given_up() -> None:
    with pytest.raises(GivenUp), Limit(0.05):
        endless()


def test_no_except_exception_takes_it() -> None:
    with pytest.raises(GivenUp), Limit(0.05):
        stubborn()


def test_what_ends_in_time_is_left_alone() -> None:
    with Limit(60):
        value = sum(range(1000))
    assert value == 499500


def test_an_error_of_the_code_goes_through() -> None:
    with pytest.raises(ZeroDivisionError), Limit(60):
        1 / 0  # noqa: B018


def test_it_never_arrives_late() -> None:
    """The end of the time and of the code are made to meet, many times."""
    for at in range(400):
        with contextlib.suppress(GivenUp), Limit(at % 40 * 1e-5):
            sum(range(2000))
        for _ in range(50):  # here it would strike
            pass


def test_its_thread_ends_with_the_code() -> None:
    with Limit(60):
        pass
    until = time.monotonic() + 30
    while any(it.name == "torchtwin-limit" for it in threading.enumerate()):
        assert time.monotonic() < until
