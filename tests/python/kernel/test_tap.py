"""The tap sees every way to `F.linear`, changes none of them, and comes off without a trace."""

from __future__ import annotations

import copy
import functools
import inspect
import pickle
import re
import signal
import threading
from collections import deque
from random import Random

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import torchtwin
from torchtwin.kernel import tap
from torchtwin.kernel.fastpath import FastPath
from torchtwin.kernel.session import Session
from torchtwin.kernel.tap import Tap, reporting_to


def calls(session: Session) -> int:
    return len(session.calls())


def test_it_comes_off_again() -> None:
    before = F.linear
    session = Session()
    session.watch()
    assert F.linear is not before
    session.unwatch()
    assert F.linear is before


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_was_imported_while_watched_still_scripts_afterwards() -> None:
    session = Session()
    session.watch()
    linear = F.linear
    session.unwatch()

    def double(x: Tensor, w: Tensor) -> Tensor:
        return linear(x, w)

    scripted = torch.jit.script(double)  # type: ignore[no-untyped-call]
    assert scripted(torch.ones(1, 2), torch.ones(3, 2)).tolist() == [[2.0, 2.0, 2.0]]


def test_tables_keyed_by_the_function_find_it_either_way(session: Session) -> None:
    watched, builtin = F.linear, torch._C._nn.linear
    assert {watched: 1}[builtin] == {builtin: 1}[watched] == 1
    assert watched == builtin


def test_a_subclass_that_handles_linear_is_still_dispatched(session: Session) -> None:
    class Mine(Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            return handled[func]()

    handled = {F.linear: lambda: "mine"}
    assert F.linear(torch.ones(1, 2).as_subclass(Mine), torch.ones(3, 2)) == "mine"  # type: ignore[comparison-overlap]


def test_symbolic_sizes_stay_symbolic(session: Session) -> None:
    from torch.fx.experimental.proxy_tensor import make_fx

    graph = make_fx(lambda x, w: F.linear(x, w) * x.shape[0], tracing_mode="symbolic")(
        torch.ones(5, 2), torch.ones(3, 2)
    )
    assert graph(torch.ones(7, 2), torch.ones(3, 2)).tolist() == [[14.0] * 3] * 7


def test_fx_with_a_proxy_weight_is_unchanged(session: Session) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.c = torch.ones(1, 2)

        def forward(self, w: Tensor) -> Tensor:
            return F.linear(self.c, w)

    nodes = [(n.op, len(n.args)) for n in torch.fx.symbolic_trace(Net()).graph.nodes]
    assert nodes == [("placeholder", 0), ("get_attr", 0), ("call_function", 2), ("output", 1)]


def test_compiled_autograd_finds_nothing_of_ours(session: Session) -> None:
    layer, x = nn.Linear(2, 3), torch.ones(1, 2)
    out = layer(x).sum()
    with torch._dynamo.compiled_autograd._enable(torch.compile(backend="eager", fullgraph=True)):
        out.backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.tolist() == [[1.0, 1.0]] * 3


def test_watching_twice_is_harmless(session: Session) -> None:
    wrapped = F.linear
    session.watch()
    assert F.linear is wrapped
    F.linear(torch.ones(1, 2), torch.ones(3, 2))
    assert calls(session) == 1


def test_a_wrapper_put_on_after_ours_stays(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, plain = F.linear, torch._C._nn.linear

    def theirs(*operands: Tensor) -> Tensor:
        return ours(*operands)

    monkeypatch.setattr(F, "linear", theirs)
    session.unwatch()
    assert F.linear is theirs
    F.linear(torch.ones(1, 2), torch.ones(3, 2))
    assert calls(session) == 0
    monkeypatch.undo()
    F.linear = plain


@pytest.mark.parametrize(
    ("run", "count"),
    [
        (lambda: nn.Linear(2, 3)(torch.ones(1, 2)), 1),
        (lambda: nn.Linear(2, 3).forward(torch.ones(1, 2)), 1),
        (lambda: F.linear(torch.ones(1, 2), torch.ones(3, 2)), 1),
        (lambda: nn.MultiheadAttention(4, 2)(*[torch.ones(3, 1, 4)] * 3), 2),
        (lambda: nn.TransformerEncoderLayer(4, 2, 8)(torch.ones(3, 1, 4)), 4),
    ],
    ids=["call", "forward", "function", "attention", "encoder layer"],
)
def test_every_linear_operation_is_seen(session: Session, run: object, count: int) -> None:
    assert callable(run)
    run()
    assert calls(session) == count


def test_an_exception_of_the_observer_is_not_swallowed_silently(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of ours is counted and told, and the user gets their result."""
    monkeypatch.setattr("torchtwin.kernel.callsite.caller", lambda frame: 1 / 0)
    out = F.linear(torch.ones(1, 2), torch.ones(3, 2))
    assert out.tolist() == [[2.0, 2.0, 2.0]]
    report = session.guard.report()
    assert report is not None
    assert report.count == 1
    assert "ZeroDivisionError" in report.first
    state = session.state()
    assert state.internal_errors == report
    session.guard.__init__()  # type: ignore[misc]  # the fixture insists on no fault


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torch_jit_script_still_compiles(session: Session) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(2, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(x)

    net = Net()
    assert torch.equal(torch.jit.script(net)(torch.ones(1, 2)), net(torch.ones(1, 2)))  # type: ignore[no-untyped-call]


@pytest.mark.filterwarnings("ignore:.torch.jit.trace")
def test_torch_jit_trace_holds_nothing_of_ours(session: Session) -> None:
    net, x = nn.Sequential(nn.Linear(2, 3)), torch.ones(1, 2)

    def traced() -> str:
        """The graph, numbered as it was recorded: what was recorded and then found dead has left gaps."""
        graph = str(torch.jit.trace(net, x, check_trace=False).graph)  # type: ignore[no-untyped-call]
        return re.sub(r"\.___torch_mangle_\d+| # .*", "", graph)

    watched, recorded = traced(), calls(session)
    session.unwatch()
    assert (watched, recorded) == (traced(), 0)


def test_fx_records_the_builtin(session: Session) -> None:
    class Net(nn.Module):
        def forward(self, x: Tensor, w: Tensor) -> Tensor:
            return F.linear(x, w)

    graph = torch.fx.symbolic_trace(Net()).graph
    (node,) = [n for n in graph.nodes if n.op == "call_function"]
    assert node.target is torch._C._nn.linear


def test_torch_compile_sees_a_whole_graph(session: Session) -> None:
    layer, x = nn.Linear(2, 3), torch.ones(1, 2)
    compiled = torch.compile(layer, fullgraph=True, backend="eager")
    expected = layer(x)
    seen = calls(session)
    assert torch.equal(compiled(x), expected)
    assert calls(session) == seen  # a compiled region runs unseen


def test_export_is_unchanged(session: Session) -> None:
    program = torch.export.export(nn.Linear(2, 3), (torch.ones(1, 2),))
    assert [str(n.target) for n in program.graph.nodes if n.op == "call_function"] == ["aten.linear.default"]


def test_the_function_itself_is_copied_and_pickled_as_torchs_own(session: Session) -> None:
    class Holds(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.function = F.linear

    assert copy.deepcopy(Holds()).function(torch.ones(1, 2), torch.ones(3, 2)).tolist() == [[2.0] * 3]
    assert copy.copy(F.linear) is copy.deepcopy(F.linear) is F.linear
    pickled = pickle.dumps(functools.partial(F.linear, bias=None))
    assert b"torchtwin" not in pickled
    assert pickle.loads(pickled).func is torch._C._nn.linear


def test_the_function_looks_like_torchs_own(session: Session) -> None:
    builtin = torch._C._nn.linear
    for name in ("__name__", "__qualname__", "__module__", "__doc__", "__self__", "__text_signature__"):
        assert getattr(F.linear, name) == getattr(builtin, name), name
    with pytest.raises(ValueError, match="no signature found"):
        inspect.signature(F.linear)


@pytest.mark.filterwarnings("ignore:Error detected", "ignore:Anomaly Detection")
def test_anomaly_detection_tells_of_no_line_of_ours(session: Session) -> None:
    layer = nn.Linear(2, 3)
    with torch.autograd.set_detect_anomaly(True):
        out = layer(torch.ones(5, 2, 1).mT.expand(5, 4, 2))
        nodes = [out.grad_fn]
        for node in nodes:
            if node is not None:
                nodes += [source for source, _ in node.next_functions]
        noted = [line for node in nodes if node for line in node.metadata.get("traceback_", [])]  # type: ignore[attr-defined]
    assert len([node for node in nodes if node]) > 3
    assert any("F.linear(" in line for line in noted)
    assert not any("torchtwin/kernel" in line for line in noted)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_leaves_the_modes_as_they_were(session: Session) -> None:
    layer, x, random = nn.Linear(8, 8), torch.randn(4, 8), Random(0)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def interrupted() -> None:
        try:
            # Again after a while, for an interrupt within a destructor is ignored.
            signal.setitimer(signal.ITIMER_REAL, random.uniform(0.001, 0.003), 0.2)
            while True:
                layer(x).sum().backward()
        except KeyboardInterrupt:
            signal.setitimer(signal.ITIMER_REAL, 0)

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for _ in range(300):
            interrupted()
            assert torch.is_grad_enabled()
            assert not torch.is_autocast_enabled("cpu")
            assert torch._C._is_torch_function_enabled()
            assert layer(x).requires_grad
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_tensors_can_be_swapped_as_without_us(session: Session) -> None:
    layer, x = nn.Linear(2, 3), torch.ones(1, 2)
    layer(x).sum().backward()
    kept = layer.weight
    torch.__future__.set_swap_module_params_on_conversion(True)
    try:
        layer.to(torch.float64)
        assert layer.weight is kept
        layer(x.double())
        session.unwatch()
        assert torch.utils.swap_tensors.__module__ == "torch.utils"
        layer.to(torch.float32)
    finally:
        torch.__future__.set_swap_module_params_on_conversion(False)
    assert layer.weight is kept
    assert kept.dtype == torch.float32


def test_putting_on_and_taking_off_can_be_repeated() -> None:
    class Nothing:
        def returned(self, *_: object) -> None: ...
        def raised(self, *_: object) -> None: ...

    before, tap = F.linear, Tap(Nothing(), FastPath(deque()))
    for _ in range(3):
        tap.put_on()
        tap.take_off()
    tap.take_off()
    assert F.linear is before


def test_a_question_asked_often_keeps_one_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    fc, x = nn.Linear(3, 2), torch.randn(4, 3)
    ask = functools.partial(torchtwin.compare, lambda: fc(x), lambda: x @ fc.weight.T + fc.bias)
    ask()
    kept = len(tap._kept)
    for _ in range(20):
        assert ask().proof
    assert len(tap._kept) == kept
    for function in [functools.partial(F.linear), F.linear] * 5:  # somebody's own wrapper, on and off
        monkeypatch.setattr(F, "linear", function)
        assert ask().proof
    assert len(tap._kept) == kept + 1


def test_of_two_questions_at_once_the_first_to_end_leaves_the_other_its_calls() -> None:
    class Seen:
        calls = 0

        def returned(self, *call: object) -> None:
            self.calls += 1

        def raised(self, *call: object) -> None: ...

    fc, x, before, seen = nn.Linear(3, 2), torch.randn(4, 3), F.linear, Seen()
    inside, done = threading.Event(), threading.Event()

    def other() -> None:
        with reporting_to(Seen()):
            inside.set()
            done.wait(10)

    thread = threading.Thread(target=other)
    thread.start()
    inside.wait(10)
    with reporting_to(seen):
        done.set()
        thread.join()
        fc(x)
    assert seen.calls == 1
    assert F.linear is before
