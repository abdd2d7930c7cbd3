"""The pulse beats between start and stop, in one thread that breakpoints leave alone, and that no fork meets."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest

from torchtwin.kernel import pulse as module
from torchtwin.kernel.pulse import Pulse

SOON = 30


class Heart:
    """Counts beats, and lets the test wait for one."""

    def __init__(self) -> None:
        self.threads: list[threading.Thread] = []
        self.beaten = threading.Event()
        self.pulse = Pulse(self)

    def __call__(self) -> None:
        self.threads.append(threading.current_thread())
        self.beaten.set()

    def wait(self) -> None:
        self.beaten.clear()
        assert self.beaten.wait(SOON)


@pytest.fixture
def heart(monkeypatch: pytest.MonkeyPatch) -> Iterator[Heart]:
    monkeypatch.setattr(module, "INTERVAL", 0.001)
    heart = Heart()
    yield heart
    heart.pulse.stop()


def of_ours() -> set[threading.Thread]:
    return {it for it in threading.enumerate() if it.name == "torchtwin-pulse"}


def test_it_beats_in_one_thread_however_often_it_is_started(heart: Heart) -> None:
    before = of_ours()
    heart.pulse.start()
    heart.pulse.start()
    heart.wait()
    heart.wait()
    assert len(of_ours() - before) == 1
    assert set(heart.threads) == of_ours() - before


def test_it_stops_and_leaves_no_thread_behind(heart: Heart) -> None:
    heart.pulse.start()
    heart.wait()
    (thread,) = set(heart.threads)
    heart.pulse.stop()
    heart.pulse.stop()
    thread.join(SOON)
    assert not thread.is_alive()


def test_it_beats_again_in_another_thread_after_it_was_stopped(heart: Heart) -> None:
    heart.pulse.start()
    heart.wait()
    heart.pulse.stop()
    (first,) = set(heart.threads)
    heart.pulse.start()
    first.join(SOON)
    assert not first.is_alive()
    heart.wait()
    assert heart.threads[-1] is not first


def test_a_program_may_end_while_it_beats_and_a_debugger_lets_it_run(heart: Heart) -> None:
    heart.pulse.start()
    heart.wait()
    thread = heart.threads[0]
    assert thread.daemon
    assert thread.pydev_do_not_trace  # type: ignore[attr-defined]
    assert thread.is_pydev_daemon_thread  # type: ignore[attr-defined]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_gets_no_thread_though_the_parent_was_starting_one(heart: Heart) -> None:
    with heart.pulse._lock:  # as it is held by a thread that does not exist in the child
        heart.pulse.forked()
    assert not heart.threads
    heart.pulse.resume()
    assert heart.pulse._thread is None
    heart.pulse.start()  # which the child itself asks for
    heart.wait()


def test_in_a_pause_there_is_no_thread_and_after_it_there_is_again(heart: Heart) -> None:
    heart.pulse.start()
    heart.wait()
    (first,) = set(heart.threads)
    heart.pulse.pause()
    assert not first.is_alive()
    heart.pulse.resume()
    heart.wait()
    assert heart.threads[-1] is not first


def test_a_pause_waits_for_the_last_beat_of_a_pulse_that_was_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "INTERVAL", 0.001)
    began, goes_on = threading.Event(), threading.Event()

    def beat() -> None:
        began.set()
        goes_on.wait(SOON)

    pulse = Pulse(beat)
    pulse.start()
    assert began.wait(SOON)
    pulse.stop()
    threading.Timer(0.05, goes_on.set).start()
    pulse.pause()
    assert goes_on.is_set()
    pulse.resume()
    assert not pulse._stopped


def test_where_no_thread_can_be_had_it_does_not_beat_and_raises_nothing(
    heart: Heart, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        assert not heart.pulse.start()
    assert heart.pulse.start()
    heart.wait()


def test_a_beat_may_pause_its_own_pulse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "INTERVAL", 0.001)
    paused = threading.Event()

    def beat() -> None:
        pulse.pause()
        paused.set()

    pulse = Pulse(beat)
    pulse.start()
    assert paused.wait(SOON)


def test_while_two_threads_fork_at_once_it_rests_until_both_have(heart: Heart) -> None:
    heart.pulse.start()
    heart.pulse.pause()
    heart.pulse.pause()
    heart.pulse.resume()
    assert heart.pulse.has_ended()
    heart.pulse.resume()
    assert not heart.pulse.has_ended()
    heart.pulse.stop()
