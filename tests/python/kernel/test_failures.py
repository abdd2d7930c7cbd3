"""A call that raises again and again is explained once, and told each time."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from tests.python.kernel.conftest import Notebook

from torchtwin.kernel import failures

LOOP = """
errors = []
for x in inputs:
    try:
        fc(x)
    except (RuntimeError, TypeError) as error:
        errors.append(error)
"""


@pytest.fixture
def explained(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """A list that grows by one with each explanation."""
    made: list[object] = []
    original = failures.failure.explain

    def explain(*of: Any) -> Any:
        made.append(original(*of))
        return made[-1]

    monkeypatch.setattr(failures.failure, "explain", explain)
    return made


def test_failures_of_one_kind_are_explained_once_and_told_each_time(
    notebook: Notebook, explained: list[object]
) -> None:
    notebook.run("fc = nn.Linear(3, 5)\ninputs = [torch.ones(2, 4) for _ in range(50)]" + LOOP)
    calls = notebook.session.calls()
    assert (len(calls), len({it.id for it in calls}), len(explained)) == (50, 50, 1)
    assert {it.error.explanation for it in calls if it.error} == {"`x` has 4 features, `fc` takes 3."}
    errors = notebook.names["errors"]
    assert len({id(it) for it in errors}) == 50
    assert [len(it.__notes__) for it in errors] == [1] * 50
    assert all(one.time <= two.time for one, two in itertools.pairwise(calls))


@pytest.mark.parametrize(
    "inputs",
    [
        "[torch.ones(2, 4), torch.ones(2, 5)]",
        "[torch.ones(2, 4), torch.ones(4)]",
        "[torch.ones(2, 4), torch.ones(2, 4).double()]",
        "[[1.0], [1]]",
    ],
)
def test_one_of_another_kind_is_explained_anew(notebook: Notebook, explained: list[object], inputs: str) -> None:
    notebook.run(f"fc = nn.Linear(3, 5)\ninputs = {inputs}" + LOOP)
    assert len(explained) == 2


def test_another_layer_at_the_same_place_is_explained_anew(notebook: Notebook, explained: list[object]) -> None:
    notebook.run(
        "a, b = nn.Linear(3, 5), nn.Linear(3, 5)\nx = torch.ones(2, 4)\n"
        "for fc in (a, b):\n    try: fc(x)\n    except RuntimeError: pass"
    )
    assert len(explained) == 2


def test_in_another_cell_names_may_mean_something_else(notebook: Notebook, explained: list[object]) -> None:
    for _ in range(2):
        notebook.run("fc = nn.Linear(3, 5)\ntry: fc(torch.ones(2, 4))\nexcept RuntimeError: pass")
    assert len(explained) == 2


def test_what_is_remembered_is_bounded(
    notebook: Notebook, explained: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures, "MAX_KNOWN", 2)
    notebook.run("fc = nn.Linear(3, 5)\ninputs = [torch.ones(n, 4) for n in (1, 2, 3, 3, 1)]" + LOOP)
    assert len(explained) == 4


def test_another_input_by_another_name_is_told_by_its_own(notebook: Notebook) -> None:
    notebook.run(
        "fc = nn.Linear(3, 5)\na, b = torch.ones(2, 4), torch.ones(2, 4)\n"
        "for args in [(a,), (b,)]:\n    try: fc(*args)\n    except RuntimeError: pass"
    )
    assert [it.operands.input.name for it in notebook.session.calls() if it.operands.input] == ["a", "b"]


def test_a_layer_in_the_memory_of_one_that_is_gone_is_told_by_its_own_name(notebook: Notebook) -> None:
    notebook.run(
        "def call(layer, *inputs):\n    try: layer(*inputs)\n    except RuntimeError: pass\n"
        "x = torch.ones(2, 4)\nnet1 = nn.Sequential(nn.Linear(3, 5))\ncall(net1, x)\n"
        "net2 = net1\ndel net1\ncall(net2, x)"
    )
    first, second = (it.error.explanation for it in notebook.session.calls() if it.error)
    assert "net1" in first
    assert "net1" not in second


def test_an_exception_that_cannot_describe_itself_is_recorded(notebook: Notebook) -> None:
    notebook.run(
        "class Odd(RuntimeError):\n    def __str__(self): raise ValueError('no words')\n"
        "class Input(torch.Tensor): pass\nfc = nn.Linear(3, 5)\nhook = fc.register_forward_pre_hook(lambda *_: None)\n"
        "original = torch._C._nn.linear\n"
    )
    notebook.session.unwatch()
    linear = notebook.names["F"].linear

    def odd(*_: Any) -> Any:
        raise notebook.names["Odd"]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(notebook.names["F"], "linear", odd)
        notebook.session.watch()
        notebook.run("try: fc(torch.ones(2, 3))\nexcept RuntimeError: pass")
        notebook.session.unwatch()
    assert notebook.names["F"].linear is linear
    (call,) = notebook.session.calls()
    assert call.error is not None
    assert call.error.type == "Odd"
