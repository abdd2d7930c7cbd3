"""What was changed between two calls is told where their outputs do not agree, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from tests.python.kernel.conftest import Notebook

from torchtwin.protocol import Comparison

Ask = Callable[..., Comparison]
STEP = "out.pow(2).sum().backward()\noptimizer.step()"
NET = (
    "net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4))\n"
    "optimizer = torch.optim.SGD(net.parameters(), lr=0.1)\nx = torch.randn(5, 6)\nout = net(x)"
)


def note(ask: Ask, actual: str, expected: str) -> str:
    return ask(actual, expected).verdict.note or ""


def test_the_weight_that_a_step_has_changed_is_named_whichever_side_is_older(notebook: Notebook, ask: Ask) -> None:
    notebook.run(NET)
    notebook.run(STEP)
    told = (
        "`net[2].weight` and `net[2].bias` were changed after `out` was computed and before `net(x)` was: "
        "compute `out` anew"
    )
    assert told in note(ask, "out", "net(x)")
    assert told in note(ask, "net(x)", "out")


def test_one_parameter_that_was_changed_is_named_alone_also_where_no_version_counts_it(
    notebook: Notebook, ask: Ask
) -> None:
    notebook.run("fc = nn.Linear(6, 4)\nx = torch.randn(5, 6)\ny = fc(x)\nfc.bias.data += 1")
    told = "`fc.bias` was changed after `y` was computed and before `fc(x)` was: compute `y` anew"
    assert told in note(ask, "y", "fc(x)")


def test_a_weight_too_large_to_be_copied_is_named_by_its_version(notebook: Notebook, ask: Ask) -> None:
    notebook.run(
        "fc = nn.Linear(300, 300, bias=False)\nassert fc.weight.numel() > 2**16\nx = torch.randn(5, 300)\nout = fc(x)\n"
        "optimizer = torch.optim.SGD(fc.parameters(), lr=0.1)"
    )
    notebook.run(STEP)
    assert "`fc.weight` was changed after `out` was computed and before `fc(x)` was" in note(ask, "out", "fc(x)")


def test_a_part_of_an_output_is_one(notebook: Notebook, ask: Ask) -> None:
    notebook.run(NET)
    notebook.run(STEP)
    assert "`net[2].bias` were changed after `out[1:]` was computed" in note(ask, "out[1:]", "net(x)[1:]")


@pytest.mark.parametrize(
    ("then", "sides"),
    [
        ("again = net(x + 1)\n" + STEP, ("out", "again")),  # the step came after both
        (STEP + "\nnew = net(x)", ("new", "net(x + 1)")),  # and before both
        ("with torch.no_grad(): net[2].weight.mul_(1)", ("out", "net(x + 1)")),  # it is as it was
        ("other = nn.Linear(6, 4)\nwith torch.no_grad(): net[2].weight.add_(1)", ("out", "other(x)")),  # another layer
        (STEP, ("out", "x[:, :4] * 3")),  # no call
        (STEP + "\nnew = net(x).relu_()", ("out", "new")),  # which is no output any more
        ("out = net(x)", ("out", "net(x)")),  # they agree
    ],
)
def test_nothing_is_told_of_what_was_not_changed_between_them(
    notebook: Notebook, ask: Ask, then: str, sides: tuple[str, str]
) -> None:
    torch.manual_seed(0)
    notebook.run(NET)
    notebook.run(then)
    assert "changed" not in note(ask, *sides)


def test_results_that_agree_are_told_nothing_though_a_step_lies_between(notebook: Notebook, ask: Ask) -> None:
    notebook.run("fc = nn.Linear(6, 4)\nx = torch.zeros(5, 6)\ny = fc(x)\nfc.weight.data += 1")
    comparison = ask("y", "fc(x)")
    assert comparison.verdict.kind == "identical"
    assert "changed" not in (comparison.verdict.note or "")
