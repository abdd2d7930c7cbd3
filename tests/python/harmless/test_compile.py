"""`torch.compile` makes the same graphs of a watched program, breaks them where it did, and gives the same bits."""

from __future__ import annotations

import functools
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import torchtwin
from torchtwin.kernel.session import session

pytestmark = [
    # The compiler's own: it looks at `.grad` of what it traces, and inductor scripts a part of itself.
    pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf"),
    pytest.mark.filterwarnings("ignore:.torch.jit.script"),
]
BACKENDS = ["eager", "aot_eager"]
CPP = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    """Each test has the compiler and the process's session for itself."""
    torch._dynamo.reset()
    torchtwin.clear()
    yield
    torchtwin.unwatch()
    torch._dynamo.reset()
    report = session.guard.report()
    assert report is None, report.first


@dataclass
class Backend:
    """A backend that writes down what it is given to compile."""

    name: str
    graphs: list[str] = field(default_factory=list)

    def __call__(self, graph: torch.fx.GraphModule, inputs: Sequence[Any]) -> Callable[..., Any]:
        targets = [type(node.target).__name__ for node in graph.graph.nodes]  # a stand-in passes for the function
        self.graphs.append(f"{graph.code}\n{targets}")
        if self.name == "eager":
            return graph.forward
        return torch._dynamo.lookup_backend(self.name)(graph, list(inputs))


class Breaks(nn.Module):
    """A graph break between two layers, and one within a function that is not to be compiled."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x).relu()
        torch._dynamo.graph_break()
        return self.uncompiled(self.second(x))

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def uncompiled(self, x: Tensor) -> Tensor:
        return self.third(x)


class Functions(nn.Module):
    """Calls the function itself, without a bias too, and by a table that is keyed by it."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(4, 4)), nn.Parameter(torch.randn(4))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(F.linear(x, self.weight), self.weight, bias=self.bias)


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        given: Tensor = self.attention(x[None], x[None], x[None], need_weights=False)[0][0]
        return given


WHOLE: dict[str, Callable[[], nn.Module]] = {
    "layer": lambda: nn.Linear(4, 4),
    "layers": lambda: nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 4, bias=False)),
    "function": Functions,
    "attention": Attention,
    "encoder": lambda: nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, batch_first=True),
}
"""Programs that compile to one whole graph."""


@dataclass
class Outcome:
    graphs: list[str]
    counters: dict[str, dict[str, int]]
    results: list[Tensor | None]

    def assert_same(self, other: Outcome) -> None:
        assert self.graphs == other.graphs
        assert self.counters == other.counters
        self.assert_same_results(other)

    def assert_same_results(self, other: Outcome) -> None:
        for mine, theirs in zip(self.results, other.results, strict=True):
            assert (mine is None) == (theirs is None)
            assert mine is None or (theirs is not None and torch.equal(mine, theirs))


def outcome(make: Callable[[], nn.Module], backend: str, sizes: Sequence[int] = (3,), **options: Any) -> Outcome:
    """Compiles what `make` makes, trains it with a batch of each size, and runs it without gradients."""
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    torch.manual_seed(0)
    model, noted, results = make(), Backend(backend), list[Tensor | None]()
    compiled = torch.compile(model, backend=noted, **options)
    for size in sizes:
        x = torch.randn(size, 4, requires_grad=True)
        output = compiled(x)
        output.square().sum().backward()
        with torch.no_grad():
            results += [output, x.grad, *(p.grad for p in model.parameters()), compiled(x)]
    counters = {name: dict(counter) for name, counter in torch._dynamo.utils.counters.items()}
    return Outcome(noted.graphs, counters, results)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("program", WHOLE)
def test_a_whole_graph_is_the_same_and_gives_the_same_bits(program: str, backend: str) -> None:
    plain = outcome(WHOLE[program], backend, fullgraph=True)
    with torchtwin.watch():
        watched = outcome(WHOLE[program], backend, fullgraph=True)
    watched.assert_same(plain)
    assert len(plain.graphs) == 2  # with gradients, and without
    # The eager backend runs torch's function for attention, which is one node of its graph, as it is.
    calls_attention = any("multi_head_attention_forward" in graph for graph in plain.graphs)
    assert bool(session.latest(10_000)) == (backend == "eager" and calls_attention)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_program_breaks_where_it_did_and_what_runs_uncompiled_is_seen(backend: str) -> None:
    plain = outcome(Breaks, backend)
    with torchtwin.watch():
        watched = outcome(Breaks, backend)
    watched.assert_same(plain)
    assert sum(plain.counters["graph_break"].values()) >= 2
    assert [call.name for call in session.latest(10_000)] == ["self.third"] * 2


@pytest.mark.parametrize("dynamic", [True, None], ids=["from the start", "once a size has changed"])
def test_dynamic_shapes_stay_dynamic(dynamic: bool | None) -> None:
    plain = outcome(WHOLE["layers"], "aot_eager", sizes=(3, 5, 7, 9), fullgraph=True, dynamic=dynamic)
    with torchtwin.watch():
        watched = outcome(WHOLE["layers"], "aot_eager", sizes=(3, 5, 7, 9), fullgraph=True, dynamic=dynamic)
    watched.assert_same(plain)
    assert "s" in "".join(plain.graphs)
    assert len(plain.graphs) == (2 if dynamic else 4)


@pytest.mark.skipif(CPP is None, reason="inductor needs a C++ compiler, and there is none here")
def test_inductor_gives_the_same_bits_and_knows_the_graph_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch._inductor.config, "compile_threads", 1)
    monkeypatch.setattr(torch._inductor.config.cpp, "simdlen", 1)  # spares it trying out the machine
    made = functools.partial(outcome, lambda: nn.Sequential(nn.Linear(4, 4), nn.ReLU()), "inductor", fullgraph=True)
    with torch._inductor.utils.fresh_cache():
        plain = made()
        with torchtwin.watch():
            watched = made()
    assert watched.graphs == plain.graphs
    watched.assert_same_results(plain)
    assert plain.counters["inductor"]["fxgraph_cache_miss"] == watched.counters["inductor"]["fxgraph_cache_hit"] > 0
    assert "fxgraph_cache_miss" not in watched.counters["inductor"]


def test_the_compilers_own_explanation_is_the_same() -> None:
    def explained() -> tuple[object, ...]:
        torch._dynamo.reset()
        told = torch._dynamo.explain(Breaks())(torch.ones(3, 4))
        reasons = [reason.reason for reason in told.break_reasons]
        return told.graph_count, told.graph_break_count, told.op_count, reasons

    plain = explained()
    with torchtwin.watch():
        assert explained() == plain


@pytest.mark.parametrize("program", [*WHOLE, "breaks", "fused encoder"])
def test_toggling_the_watch_recompiles_at_most_once(program: str) -> None:
    torch.manual_seed(0)
    fused = program == "fused encoder"
    model = {**WHOLE, "breaks": Breaks, "fused encoder": WHOLE["encoder"]}[program]().train(not fused)
    backend, x = Backend("eager"), torch.randn(3, 4)[None] if fused else torch.randn(3, 4)
    compiled = torch.compile(model, backend=backend)

    def run() -> Tensor:
        with torch.no_grad() if fused else nullcontext():
            given: Tensor = compiled(x)
            return given

    expected, compiled_once, made = run(), len(backend.graphs), list[int]()
    for _ in range(4):
        with torchtwin.watch():
            assert torch.equal(run(), expected)
        assert torch.equal(run(), expected)
        made.append(len(backend.graphs))
    assert made[0] <= 2 * compiled_once
    assert made == [made[0]] * 4
    assert fused == any("_transformer_encoder_layer_fwd" in graph for graph in backend.graphs)


def test_what_was_compiled_before_during_and_after_the_watch_runs_at_any_time() -> None:
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4)), torch.randn(3, 4)

    def compiled() -> Callable[[Tensor], Tensor]:
        made: Callable[[Tensor], Tensor] = torch.compile(lambda x: model(x), backend="eager", fullgraph=True)
        made(x)
        return made

    expected = model(x)
    functions = [compiled()]
    with torchtwin.watch():
        functions.append(compiled())
        assert all(torch.equal(function(x), expected) for function in functions)
    functions.append(compiled())
    assert all(torch.equal(function(x), expected) for function in functions)
    with torchtwin.watch():
        assert all(torch.equal(function(x), expected) for function in functions)
    assert session.latest(10_000) == []


def renumbered(graph: str) -> str:
    """The graph with its nodes numbered anew: what was captured and then found dead has left gaps."""
    numbers: dict[str, str] = {}
    return re.sub(r"\bgetitem(_\d+)?\b", lambda found: numbers.setdefault(found[0], f"item_{len(numbers)}"), graph)


def test_toggling_the_watch_captures_a_backward_once_more_at_most() -> None:
    torch.manual_seed(0)
    model, x, noted = WHOLE["layers"](), torch.randn(3, 4), Backend("eager")

    def step() -> list[Tensor | None]:
        model.zero_grad()
        loss = model(x).square().sum()
        with torch._dynamo.compiled_autograd._enable(torch.compile(backend=noted, fullgraph=True)):
            loss.backward()
        return [p.grad for p in model.parameters()]

    expected, made = step(), list[int]()
    for _ in range(3):
        with torchtwin.watch():
            watched = step()
        assert all(
            a is not None and b is not None and torch.equal(a, b) for a, b in zip(watched, expected, strict=True)
        )
        step()
        made.append(len(noted.graphs))
    assert made == [made[0]] * 3
    assert made[0] <= 2


def test_compiled_autograd_captures_the_same_backward() -> None:
    """Of layers that were watched as they ran: what hangs on their nodes is no part of the graph."""

    def captured() -> tuple[list[str], list[Tensor | None]]:
        torch._dynamo.reset()
        torch.manual_seed(0)
        model, x, noted = WHOLE["layers"](), torch.randn(3, 4), Backend("eager")
        for _ in range(2):
            loss = model(x).square().sum()
            with torch._dynamo.compiled_autograd._enable(torch.compile(backend=noted, fullgraph=True)):
                loss.backward()
        return list(map(renumbered, noted.graphs)), [p.grad for p in model.parameters()]

    plain, gradients = captured()
    with torchtwin.watch():
        watched, same = captured()
    assert watched == plain
    assert len(plain) >= 1
    assert all(a is not None and b is not None and torch.equal(a, b) for a, b in zip(gradients, same, strict=True))
    assert len(session.latest(10_000)) == 4


@torch._dynamo.config.patch(compiled_autograd=True)
def test_a_compiled_training_step_with_compiled_autograd_is_the_same() -> None:
    def trained() -> tuple[list[str], list[Tensor | None]]:
        torch._dynamo.reset()
        torch.manual_seed(0)
        model, x, noted = WHOLE["layers"](), torch.randn(3, 4), Backend("eager")

        @torch.compile(backend=noted)
        def step() -> None:
            model(x).square().sum().backward()

        step()
        step()
        return noted.graphs, [p.grad for p in model.parameters()]

    plain, gradients = trained()
    with torchtwin.watch():
        watched, same = trained()
    assert watched == plain
    assert len(plain) >= 2
    assert all(a is not None and b is not None and torch.equal(a, b) for a, b in zip(gradients, same, strict=True))
