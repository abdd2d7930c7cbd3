"""The session through cells within cells, forks, and calls that are made where no cell runs."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from torchtwin.kernel import fastpath, pulse
from torchtwin.kernel import session as module
from torchtwin.kernel.cells import Cell
from torchtwin.kernel.session import Session

SOON = 30
FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
FEW, MANY = fastpath.MISSED - 10, 3 * fastpath.MISSED


def cell(number: int) -> Cell:
    return Cell(f"id-{number}", number, f"<cell {number}>")


def run(times: int) -> None:
    layer, x = nn.Linear(4, 3), torch.ones(2, 4)
    with torch.no_grad():
        for _ in range(times):
            layer(x)


def in_a_thread(work: Callable[[], object]) -> None:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(SOON)
    assert not thread.is_alive()


def until(is_so: Callable[[], bool]) -> None:
    for _ in range(100 * SOON):
        if is_so():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it never was so")


def python(source: str) -> str:
    done = subprocess.run([sys.executable, "-W", "error", "-c", source], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def counted(session: Session) -> bool:
    assert session._recording is not None
    return session._recording.fast.is_counted


# Cells


def test_a_cell_within_a_cell_does_not_begin_the_books_anew(session: Session) -> None:
    session.cell_begins(cell(1))
    session._budget.charge(2.0)
    session.cell_begins(cell(2))
    session.cell_ended()
    cost = session._budget.cost()
    session.cell_ended()
    assert cost.spent >= 2.0
    session.cell_begins(cell(3))
    session._budget.charge(0.5)
    cost = session._budget.cost()
    session.cell_ended()
    assert 0.5 <= cost.spent < 2.0


def test_what_the_recording_takes_to_come_is_told_in_the_cost_and_owed_to_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = iter([100.0, 107.0])
    session = Session()
    session.watch("auto")
    monkeypatch.setattr(module, "perf_counter", lambda: next(clock))
    try:
        left = session._budget.left()
        session.cell_begins(cell(1))
        assert session._budget.cost().spent >= 7.0
        assert session._budget.left() == pytest.approx(left, abs=0.5)
    finally:
        session.cell_ended()
        session.unwatch()


# Where no cell runs


def test_many_calls_of_a_thread_that_outlives_its_cell_are_counted_by_a_pulse_until_it_calls_no_more(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulse, "INTERVAL", 0.001)
    session.set_mode("shapes")
    session.cell_begins(cell(1))
    run(1)
    session.cell_ended()
    assert not counted(session)
    monkeypatch.setattr(module, "IDLE_BEATS", 10**9)
    in_a_thread(lambda: run(MANY))
    assert counted(session)
    assert session._pulse._stopped is not None
    assert session.recorder.counts == (1 + MANY, 0)
    monkeypatch.setattr(module, "IDLE_BEATS", 2)
    until(lambda: not session._runs)
    assert not counted(session)
    assert session._pulse._thread is not None
    session._pulse._thread.join(SOON)
    assert not session._pulse._thread.is_alive()


def test_a_cell_that_begins_meanwhile_keeps_its_pulse(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "INTERVAL", 0.001)
    session.set_mode("shapes")
    session.cell_begins(cell(1))
    session.cell_ended()
    in_a_thread(lambda: run(MANY))
    monkeypatch.setattr(module, "IDLE_BEATS", 1)
    session.cell_begins(cell(2))
    beats = session._recording._beats  # type: ignore[union-attr]
    until(lambda: session._recording._beats > beats + 20)  # type: ignore[union-attr]
    assert counted(session)
    session.cell_ended()


def test_a_pulse_that_was_about_to_rest_goes_on_for_a_cell_that_has_begun(session: Session) -> None:
    session.cell_begins(cell(1))
    session._idle, session._recorded = module.IDLE_BEATS, session.recorder.counts[0]
    session._rest_where_nobody_calls()
    assert session._runs
    assert counted(session)
    session.cell_ended()


def test_a_fault_of_ours_while_the_pulse_goes_to_rest_leaves_the_lock_free(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault() -> None:
        raise ValueError("ours")

    session._is_woken, session._idle = True, module.IDLE_BEATS
    session._recorded = session.recorder.counts[0]
    with monkeypatch.context() as patch:
        patch.setattr(session, "_rest", fault)
        in_a_thread(session.guard(session._rest_where_nobody_calls))
    report = session.guard.report()
    assert report is not None
    assert "ours" in report.first
    assert session._lock.acquire(timeout=1)
    session._lock.release()
    session.guard.__init__()  # type: ignore[misc]


def test_a_few_calls_where_no_cell_runs_get_no_thread(session: Session) -> None:
    session.cell_begins(cell(1))
    session.cell_ended()
    run(FEW)
    assert not session._runs
    assert session._pulse._stopped is None


def test_calls_where_no_cell_runs_earn_a_budget(session: Session) -> None:
    session.cell_begins(cell(1))
    session.cell_ended()
    assert session._budget._since is None
    run(MANY)
    assert session._budget._since is not None


def test_calls_after_the_watch_wake_nobody(session: Session) -> None:
    session.cell_begins(cell(1))
    session.cell_ended()
    session.unwatch()
    session._wake()
    assert not session._runs
    assert session._pulse._stopped is None


# Forks


@FORKS
def test_no_thread_of_ours_is_there_in_the_moment_of_a_fork_and_all_are_after_it() -> None:
    told = python(
        "import os, threading\n"
        "def ours():\n"
        "    print(sorted(it.name for it in threading.enumerate() if 'torchtwin' in it.name), flush=True)\n"
        "os.register_at_fork(before=ours)\n"  # the hook that is registered first is called last
        "import torch, torchtwin\n"
        "from torchtwin.kernel.session import session\n"
        "from torchtwin.kernel.flush import Flush\n"
        "flush = Flush(session.recorder, lambda page: None, session.guard)\n"
        "session.threads.append(flush)\n"
        "flush.begin()\ntorchtwin.watch()\n"
        "layer, x = torch.nn.Linear(4, 3), torch.ones(2, 4)\nlayer(x)\nours()\n"
        "child = os.fork()\n"
        "if not child:\n    ours()\n    os._exit(0)\n"
        "os.waitpid(child, 0)\nours()\n"
        "layer(x)\nours()\n"
        "assert session.guard.report() is None\n"
    )
    both = "['torchtwin-flush', 'torchtwin-pulse']"
    # A newer Python counts the threads once more after the fork: the pulse waits for the next call.
    assert told.splitlines() == [both, "[]", "[]", "['torchtwin-flush']", both]


@FORKS
def test_after_a_fork_no_call_is_lost_and_the_cell_goes_on_with_its_pulse(session: Session) -> None:
    session.set_mode("shapes")
    session.cell_begins(cell(1))
    run(FEW)
    session.before_fork()
    session.after_fork()
    assert not counted(session)
    run(1)
    assert counted(session)
    assert not session._is_woken  # it lasts as long as the cell
    assert session.recorder.counts == (FEW + 1, 0)
    session.cell_ended()
    assert session._pulse._stopped is None


@FORKS
def test_a_child_that_makes_many_calls_counts_them_by_a_pulse_of_its_own_and_may_end_at_once() -> None:
    told = python(
        "import os, signal, sys, torch, torchtwin\nfrom torchtwin.kernel.session import session\n"
        "torch.set_num_threads(1)\ntorchtwin.watch('shapes')\n"
        "layer, x = torch.nn.Linear(4, 3), torch.ones(2, 4)\nlayer(x)\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    signal.alarm(30)\n"
        f"    for _ in range({MANY}):\n        layer(x)\n"
        "    fast, recorder = session._recording.fast, session.recorder\n"
        "    ok = fast.is_counted and session._pulse._stopped is not None\n"
        f"    ok = ok and recorder.counts[0] == {1 + MANY} and session.guard.report() is None\n"
        "    os._exit(0 if ok else 1)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), session.recorder.counts[0])\n"
    )
    assert told.split() == ["0", "1"]


@FORKS
def test_a_child_may_fork_as_well() -> None:
    told = python(
        "import os, signal, threading, torch, torchtwin\nfrom torchtwin.kernel.session import session\n"
        "torch.set_num_threads(1)\ntorchtwin.watch('shapes')\nlayer, x = torch.nn.Linear(4, 3), torch.ones(2, 4)\n"
        "def generation(number):\n"
        f"    for _ in range({MANY}):\n        layer(x)\n"
        "    child = os.fork() if number else 1\n"
        "    if not child:\n"
        "        signal.alarm(30)\n"
        "        os._exit(generation(number - 1))\n"
        "    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) if number else 0\n"
        "    layer(x)\n"
        "    pulses = [it for it in threading.enumerate() if it.name == 'torchtwin-pulse']\n"
        "    return status or len(pulses) != 1 or session.guard.report() is not None\n"
        "print(generation(2))\n"
    )
    assert told.strip() in ("0", "False")


LOCKS: dict[str, Callable[[Any], Any]] = {
    "session": lambda it: it._lock,
    "guard": lambda it: it.guard._lock,
    "recorder": lambda it: it.recorder._lock,
    "pulse": lambda it: it._pulse._lock,
    "fused runs": lambda it: it._lookout._runs._lock,
}


@pytest.mark.parametrize("lock", LOCKS.values(), ids=LOCKS)
def test_in_a_child_no_lock_is_held_by_a_thread_of_the_parents(lock: Callable[[Any], Any]) -> None:
    session = Session()
    session.watch()
    in_a_thread(lambda: lock(session).acquire())
    in_a_thread(session.forked)
    assert lock(session).acquire(blocking=False)
    lock(session).release()
    session.unwatch()


def test_a_fork_does_not_wait_for_ever_for_a_lock_of_ours(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.01)
    in_a_thread(session._lock.acquire)
    in_a_thread(lambda: (session.before_fork(), session.after_fork()))
    session._lock = threading.RLock()


def test_after_a_fork_the_lock_is_free(session: Session) -> None:
    session.before_fork()
    session.after_fork()
    in_a_thread(lambda: session.set_mode("auto"))
    assert session.mode == "auto"
