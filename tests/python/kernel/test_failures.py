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
