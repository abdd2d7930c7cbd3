"""From a call to its record where most calls are only counted: none is lost, and ours is never seen by the user."""

from __future__ import annotations

import gc
import os
import sys
import threading
import traceback
import weakref
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import torch
import torch.nn.functional as F
from tests.python.kernel.conftest import Notebook
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from torchtwin.kernel import gradient
from torchtwin.kernel import recorder as recorder_module
from torchtwin.kernel.proof import queue
from torchtwin.kernel.pulse import Pulse
from torchtwin.kernel.session import Session
from torchtwin.protocol import Call


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    """A session that records only, and passes calls on as if a pulse beat."""
    monkeypatch.setattr(Pulse, "start", lambda self: True)
    session = Session()
    session.watch("shapes")
    yield session
    session.unwatch()
    assert session.guard.report() is None


def passed(session: Session) -> int:
    """How many calls the tap has passed on since they were counted last."""
    return len(session.recorder.pending)


def run(fc: nn.Module, x: Tensor, times: int) -> Tensor:
    for _ in range(times):
        y: Tensor = fc(x)
    return y


def reasons(calls: list[Call]) -> set[str | None]:
    return {call.forward.reason for call in calls}


def test_a_call_that_passes_is_counted_once(counting: Session) -> None:
    run(nn.Linear(4, 3), torch.ones(2, 4), 1000)
    assert passed(counting) == 999
    assert [it.id for it in counting.latest(2000)] == list(range(1, 1001))
    assert counting.recorder.counts == (1000, 0)


def test_what_is_counted_is_never_called_checked(counting: Session) -> None:
    run(nn.Linear(4, 3), torch.ones(2, 4), 10)
    calls = counting.latest(100)
    assert {it.forward.kind for it in calls} == {"unchecked"}
    assert reasons(calls) == {"in mode `shapes` calls are recorded only"}


def test_each_call_keeps_the_reason_of_the_time_when_it_was_made(counting: Session) -> None:
    fc, x = nn.Linear(4, 3), torch.ones(2, 4)
    run(fc, x, 10)
    counting._budget.charge(1e6)
    counting.set_mode("auto", 0.05)
    run(fc, x, 10)
    told = [it.forward.reason for it in counting.latest(100)]
    assert (
        told == ["in mode `shapes` calls are recorded only"] * 10 + ["over the budget of 5 % of the running time"] * 10
    )


def test_calls_that_pass_are_told_in_the_cost_whoever_counted_them(counting: Session) -> None:
    fc, x = nn.Linear(4, 3), torch.ones(2, 4)
    counted: list[int] = []
    counting._budget.count = counted.append  # type: ignore[method-assign]
    run(fc, x, 100)
    run(nn.Linear(4, 3), x, 100)  # whose first call has an id of its own, after the others'
    counting.page(0, 100)
    run(fc, x, 100)
    counting._beat()
    counting._beat()
    assert sum(counted) == 298


def test_in_mode_every_no_call_passes(counting: Session) -> None:
    fc, x = nn.Linear(4, 3), torch.ones(2, 4)
    run(fc, x, 10)
    counting.set_mode("every")
    counting.recorder.settle()
    run(fc, x, 10)
    assert passed(counting) == 0
    assert [it.forward.kind for it in counting.latest(10)] == ["identical"] * 10


def test_when_nobody_counts_each_call_is_counted_at_once(counting: Session) -> None:
    fc, x = nn.Linear(4, 3), torch.ones(2, 4)
    run(fc, x, 10)
    counting._rest()
    run(fc, x, 10)
    assert passed(counting) == 0
    counting.set_mode("auto")
    counting._budget.charge(1e6)
    run(fc, x, 10)
    assert passed(counting) == 0
    assert counting.recorder.counts == (30, 0)


@pytest.mark.parametrize("passes", [True, False])
def test_a_layer_whose_told_call_fell_off_is_told_anew(
    counting: Session, monkeypatch: pytest.MonkeyPatch, passes: bool
) -> None:
    monkeypatch.setattr(counting.recorder, "_max_calls", 4)
    if not passes:
        counting._rest()
    fc, x = nn.Linear(4, 3), torch.ones(2, 4)
    for some in range(10):
        run(fc, x, 3)
        counting.recorder._max_alike = 0  # so that no call is kept for those that are like it
        counting.recorder.settle()
        counting.recorder._max_alike = 1000
        for _ in range(5 if some % 2 else 0):
            run(nn.Linear(4, 3), x, 1)
    run(fc, x, 3)
    assert [it.id for it in counting.latest(3)] == [56, 57, 58]


def test_after_a_clear_the_next_call_is_told_whole(counting: Session) -> None:
    fc, x = nn.Linear(4, 3), torch.ones(2, 4)
    run(fc, x, 10)
    counting.clear()
    run(fc, x, 10)
    assert [it.id for it in counting.latest(100)] == list(range(11, 21))
    assert counting.recorder.counts == (10, 0)


def test_no_mode_of_the_users_sees_more_than_unwatched(counting: Session) -> None:
    class Functions(TorchFunctionMode):
        def __init__(self) -> None:
            super().__init__()
            self.seen: list[object] = []

        def __torch_function__(self, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            self.seen.append(function)
            return function(*args, **(kwargs or {}))

    class Operators(TorchDispatchMode):
        def __init__(self) -> None:
            super().__init__()
            self.seen: list[object] = []

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            self.seen.append(function)
            return function(*args, **(kwargs or {}))

    def seen(mode: Functions | Operators) -> list[str]:
        for _ in range(6):
            fc(x)  # the same place as within the mode
            with mode:
                pass
        for switch in (False, True) * 3:
            if switch:
                mode.__enter__()
            try:
                fc(x)
            finally:
                if switch:
                    mode.__exit__(None, None, None)
        return [str(it) for it in mode.seen]

    fc, x = nn.Linear(4, 3), torch.ones(2, 4)
    watched = [seen(Functions()), seen(Operators())]
    counting.unwatch()
    assert watched == [seen(Functions()), seen(Operators())]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_under_a_trace_no_look_of_ours_is_recorded(counting: Session) -> None:
    fc, x = nn.Linear(4, 3).requires_grad_(False), torch.ones(2, 4)

    def once(x: Tensor) -> Tensor:
        return fc(x)  # type: ignore[no-any-return]

    for _ in range(4):
        once(x)
    watched = torch.jit.trace(once, x).graph.str(False)  # type: ignore[no-untyped-call]
    counting.unwatch()
    assert watched == torch.jit.trace(once, x).graph.str(False)  # type: ignore[no-untyped-call]


def test_anomaly_detection_notes_no_line_of_ours(counting: Session) -> None:
    fc, x = nn.Linear(4, 3), torch.ones(2, 4)
    noted = []
    for anomaly in (False, False, False, True, True):
        with torch.autograd.set_detect_anomaly(anomaly, check_nan=False):
            y = fc(x)
        noted.append("".join(y.grad_fn.metadata.get("traceback_", [])))
    assert noted[:3] == [""] * 3
    for lines in noted[3:]:
        assert lines.rstrip().endswith("return F.linear(input, self.weight, self.bias)")
        assert "torchtwin/kernel" not in lines


@pytest.mark.filterwarnings("ignore:Anomaly Detection")
def test_a_failing_call_has_the_same_traceback_after_calls_that_passed(counting: Session) -> None:
    fc, x, wrong = nn.Linear(4, 3), torch.ones(2, 4), torch.ones(2, 5)

    def failing() -> list[tuple[str, int | None]]:
        lines: list[tuple[str, int | None]] = []
        for operand in (x, x, x, wrong):
            try:
                fc(operand)
            except RuntimeError as error:
                lines = [(it.name, it.lineno) for it in traceback.extract_tb(error.__traceback__)]
        return lines

    watched = failing()
    counting.unwatch()
    assert watched == failing() != []


def test_nothing_of_the_users_is_kept_by_calls_that_pass(counting: Session) -> None:
    fc = nn.Linear(4, 3)
    gone = []
    for _ in range(6):
        x = torch.ones(2, 4)
        y = fc(x)
        gone += [weakref.ref(x), weakref.ref(y)]
        del x, y
    assert [it() for it in gone] == [None] * 12
    weight, layer = weakref.ref(fc.weight), weakref.ref(fc)
    del fc
    gc.collect()
    assert (weight(), layer()) == (None, None)


def test_what_is_known_of_a_layer_goes_with_its_weight(counting: Session) -> None:
    x = torch.ones(1, 3, 4)
    for _ in range(20):
        fc, mha = nn.Linear(4, 3), nn.MultiheadAttention(4, 2, batch_first=True)
        for _ in range(3):
            fc(x)
            mha(x, x + 1, x + 1)
    del fc, mha
    gc.collect()
    forms = counting._recording._forms  # type: ignore[union-attr]
    assert not forms.layers
    assert not forms._forms
    assert not forms._families
    assert not forms._claims
    assert not forms._owners
    assert not counting._recording.fast.patterns  # type: ignore[union-attr]


def test_what_is_known_of_forms_is_bounded(counting: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torchtwin.kernel.forms.MAX_FORMS", 10)
    layers = [nn.Linear(4, 3) for _ in range(50)]
    for fc in layers:
        run(fc, torch.ones(2, 4), 3)
    forms = counting._recording._forms  # type: ignore[union-attr]
    for known in (forms._forms, forms._families, forms._places, forms._claims):
        assert len(known) <= 11
    assert len(counting._recording.fast.patterns) <= 11  # type: ignore[union-attr]
    assert len(counting.latest(1000)) == 150


def test_early_bound_functions_pass_unseen_after_the_watch(counting: Session) -> None:
    linear, fc, x = F.linear, nn.Linear(4, 3), torch.ones(2, 4)
    for _ in range(5):
        linear(x, fc.weight, fc.bias)
    before = counting.recorder.counts
    counting.unwatch()
    for _ in range(5):
        linear(x, fc.weight, fc.bias)
    assert counting.recorder.counts == before == (5, 0)


def test_several_threads_lose_no_call(counting: Session) -> None:
    fc, x = nn.Linear(4, 3), torch.ones(2, 4)
    own = [nn.Linear(4, 3) for _ in range(4)]

    def work(mine: nn.Module) -> None:
        for _ in range(200):
            fc(x)
            mine(x)

    threads = [threading.Thread(target=work, args=[it]) for it in own]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [it.id for it in counting.latest(10_000)] == list(range(1, 1601))
    assert counting.recorder.counts == (1600, 0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_counts_its_own_calls_at_once(counting: Session) -> None:
    fc, x = nn.Linear(4, 3), torch.ones(2, 4)
    run(fc, x, 10)
    child = os.fork()
    if not child:
        try:
            counting.forked()
            before = counting.recorder.counts[0]
            run(fc, x, 10)
            ok = counting.recorder.counts[0] - before == 10 and not counting.recorder.pending
            os._exit(0 if ok and counting.guard.report() is None else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert counting.recorder.counts == (10, 0)


def test_an_attempt_of_ours_that_fails_is_no_failure_of_the_users(
    counting: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    fc, x = nn.Linear(4, 3), torch.ones(2, 4)
    expected = fc(x)
    monkeypatch.setattr(recorder_module.Recorder, "keeps", lambda self, id: 1 / 0)
    assert torch.equal(run(fc, x, 3), expected)
    assert counting.guard.report() is not None
    counting.guard._count = 0


def test_it_needs_no_cell_of_a_notebook(counting: Session) -> None:
    assert not counting.cells.began
    run(nn.Linear(4, 3), torch.ones(2, 4), 3)
    state = counting.state()
    assert (state.mode, state.budget, state.calls) == ("shapes", 0.03, 3)
    assert state.cost is not None
    assert state.cost.spent > 0


def test_without_calls_there_is_no_cost() -> None:
    assert Session().state().cost is None


def test_frames_of_the_user_are_let_go(counting: Session) -> None:
    class Marker:
        pass

    def scope(fc: nn.Module, x: Tensor) -> weakref.ref[Marker]:
        marker = Marker()
        run(fc, x, 5)
        return weakref.ref(marker)

    assert scope(nn.Linear(4, 3), torch.ones(2, 4))() is None
    assert sys.exc_info() == (None, None, None)


def test_one_layer_in_two_containers_is_not_told_by_the_input_of_the_first(notebook: Notebook) -> None:
    calls = notebook.run(
        "a = nn.Linear(4, 4)\nnet = nn.Sequential(nn.Sequential(a), nn.Sequential(a))\nx = torch.ones(2, 4)\n"
        "with torch.no_grad():\n    y = net(x)"
    )
    assert [call.expression for call in calls] == [
        "x @ net[0][0].weight.T + net[0][0].bias",
        "input @ net[0][0].weight.T + net[0][0].bias",
    ]


LARGE = "fc = nn.Linear(512, 512)\nx = torch.randn(64, 512)\ny = fc(x)\n"


def test_the_verdict_of_a_newer_backward_is_not_replaced_by_an_older_one_that_comes_late(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = gradient.check_product

    def off_by_one(layer: torch.Tensor, *operands: torch.Tensor) -> Any:
        """Stands for a kernel that computes something else."""
        wrong = layer.clone()
        wrong[5, 5] += 1
        return checked(wrong, *operands)

    notebook.names["break_it"] = lambda: monkeypatch.setattr(gradient, "check_product", off_by_one)
    call = notebook.call(LARGE + "y.sum().backward(retain_graph=True)\nbreak_it()\ny.sum().backward()")
    assert call.gradients.weight is not None
    assert call.gradients.weight.kind == "different"


def test_a_verdict_on_its_way_comes_though_tensors_are_swapped_meanwhile(notebook: Notebook) -> None:
    call = notebook.call(LARGE + "torch.utils.swap_tensors(torch.ones(1), torch.zeros(1))")
    assert call.forward.kind in ("identical", "rounding")


def test_notes_of_a_verdict_that_came_late_and_of_its_gradient_both_stay(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged = queue.concluded
    monkeypatch.setattr(
        queue, "concluded", lambda silent: [msgspec.structs.replace(it, note="of the verdict") for it in judged(silent)]
    )
    call = notebook.call(LARGE + "y.sum().backward(retain_graph=True)\ny.sum().backward()")
    assert call.gradients.weight is not None
    assert call.gradients.weight.note == "of the verdict; `fc.weight.grad` holds 2 backward passes"
