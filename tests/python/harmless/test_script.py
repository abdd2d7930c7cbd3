"""TorchScript, traces, symbolic graphs and exported programs of a watched program are the same text, and load alone.

What holds of the function itself (its table entries, pickling) is in `kernel/test_tap.py`.
"""

from __future__ import annotations

import io
import itertools
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import torchtwin
from torchtwin.kernel.session import session

pytestmark = [
    pytest.mark.filterwarnings("ignore:.torch.jit"),
    pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning"),
]


class Functions(nn.Module):
    """The function under each of its names, by position and by keyword."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(4, 4)), nn.Parameter(torch.randn(4))

    def forward(self, x: Tensor) -> Tensor:
        x = F.linear(x, self.weight)
        x = torch.nn.functional.linear(x, weight=self.weight, bias=self.bias)
        return torch._C._nn.linear(x, self.weight, self.bias)


class Plain(nn.Module):
    """Without annotations, which as strings a pickled graph can't have."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 4))

    def forward(self, x):
        return F.linear(x, self.weight)


class Branches(nn.Module):
    """What only a script keeps: a loop and a branch on data."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(3):
            x = self.fc(x) if bool(x.sum() > 0) else F.linear(x, self.fc.weight)
        return x


PROGRAMS: dict[str, Callable[[], nn.Module]] = {
    "layers": lambda: nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 4, bias=False)),
    "functions": Functions,
    "attention": lambda: Attention(),
    "encoder": lambda: nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, batch_first=True),
}


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.attention(x, x, x, need_weights=False)[0]


X = torch.randn(2, 3, 4)


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    torchtwin.clear()
    yield
    torchtwin.unwatch()
    report = session.guard.report()
    assert report is None, report.first


def numbered_anew(text: str) -> str:
    """Without what differs from one time to the next: the numbers of mangled names, and places in comments.

    A trace also numbers what it finds dead and removes.
    """
    text = re.sub(r"\.___torch_mangle_\d+| *# .*", "", text)
    numbers: dict[str, str] = {}
    return re.sub(r"%[\w.]+", lambda found: numbers.setdefault(found[0], f"%{len(numbers)}"), text)


def scripted(model: nn.Module) -> tuple[Any, str]:
    store = torch.jit._recursive.concrete_type_store  # else what was compiled before is used again
    store.type_store.clear()
    store.methods_compiled.clear()
    made = torch.jit.script(model)
    return made, f"{made.code}\n{made.inlined_graph}"


def traced(model: nn.Module) -> tuple[Any, str]:
    made = torch.jit.trace(model, X, check_trace=False)  # the check runs the model itself once more
    return made, f"{made.code}\n{made.inlined_graph}"


class Everything(torch.fx.Tracer):
    """Goes into torch's own layers too."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, nn.MultiheadAttention | nn.TransformerEncoderLayer)


def symbolic(model: nn.Module) -> tuple[Any, str]:
    made = torch.fx.GraphModule(model, Everything().trace(model))
    targets = [type(node.target).__name__ for node in made.graph.nodes]
    return made, f"{made.code}\n{made.graph}\n{targets}"


def exported(model: nn.Module) -> tuple[Any, str]:
    program = torch.export.export(model, (X,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    return program.module(), f"{program.graph}\n{program.graph_signature}\n{program.range_constraints}"


def exported_strictly(model: nn.Module) -> tuple[Any, str]:
    program = torch.export.export(model, (X,), strict=True)
    return program.module(), f"{program.graph}\n{program.graph_signature}"


WAYS = {it.__name__: it for it in (scripted, traced, symbolic, exported, exported_strictly)}


NOT_TRACEABLE = ("encoder", "symbolic")


def combinations() -> Iterator[Any]:
    for program, way in itertools.product(PROGRAMS, WAYS):
        if (program, way) != NOT_TRACEABLE:
            yield program, way


@pytest.mark.parametrize(("program", "way"), list(combinations()))
def test_what_is_made_is_the_same_text_and_gives_the_same_bits(program: str, way: str) -> None:
    torch.manual_seed(0)
    model = PROGRAMS[program]()

    def made() -> tuple[Tensor, str]:
        function, text = WAYS[way](model)
        assert session.calls() == []
        return function(X), numbered_anew(text)

    output, text = made()
    with torchtwin.watch():
        watched, same = made()
    assert same == text
    assert torch.equal(watched, output)
    assert "linear" in text or program in ("attention", "encoder")


def test_branches_are_scripted_as_without_us() -> None:
    model = Branches()
    _, text = scripted(model)
    with torchtwin.watch():
        made, same = scripted(model)
        assert torch.equal(made(X), model(X))
    assert numbered_anew(same) == numbered_anew(text)
    assert text.count("aten::linear") == 2


@pytest.mark.parametrize("way", ["scripted", "traced"])
def test_saved_torchscript_of_a_watched_model_loads_without_us(tmp_path: Path, way: str) -> None:
    model = PROGRAMS["functions"]()
    with torchtwin.watch():
        WAYS[way](model)[0].save(str(tmp_path / "model.pt"))
    torch.save((X, model(X)), tmp_path / "example.pt")
    assert loaded_alone("torch.jit.load", tmp_path) == "True"


def test_an_exported_program_of_a_watched_model_loads_without_us(tmp_path: Path) -> None:
    model = PROGRAMS["functions"]()
    with torchtwin.watch():
        torch.export.save(torch.export.export(model, (X,)), tmp_path / "model.pt2")
    loaded = torch.export.load(tmp_path / "model.pt2").module()
    assert torch.equal(loaded(X), model(X))
    assert b"torchtwin" not in (tmp_path / "model.pt2").read_bytes()


def test_a_pickled_symbolic_graph_of_a_watched_model_names_nothing_of_ours() -> None:
    with torchtwin.watch():
        graph = torch.fx.symbolic_trace(Plain())
        file = io.BytesIO()
        torch.save(graph, file)
    assert b"torchtwin" not in file.getvalue()
    file.seek(0)
    assert torch.equal(torch.load(file, weights_only=False)(X), graph(X))


def loaded_alone(load: str, folder: Path) -> str:
    """Whether, in a process that has never heard of us, what was saved gives what the model gave."""
    program = (
        "import sys, warnings; warnings.simplefilter('ignore'); import torch\n"
        f"x, y = torch.load(r'{folder}/example.pt')\n"
        f"print(torch.equal({load}(r'{folder}/model.pt')(x), y) and 'torchtwin' not in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, timeout=120, check=True)
    return ran.stdout.strip()
