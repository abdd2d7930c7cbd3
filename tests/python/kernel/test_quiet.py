"""Our arithmetic leaves no trace in the user's modes, and they none in it."""

from __future__ import annotations

import pytest
import torch
from tests.python.kernel.conftest import Notebook
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from torchtwin.kernel.proof.judge import unchecked
from torchtwin.kernel.quiet import quietly


@quietly
def product(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    return x @ w.T


@quietly
def fail() -> None:
    raise ZeroDivisionError


def test_no_gradient_and_no_autocast_reach_our_arithmetic() -> None:
    x, w = torch.ones(1, 2), torch.ones(3, 2, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        y = product(x, w)
    assert (y.requires_grad, y.dtype) == (False, torch.float32)


@pytest.mark.parametrize("grad", [True, False])
@pytest.mark.parametrize("autocast", [True, False])
def test_the_modes_are_as_before_even_after_an_error(grad: bool, autocast: bool) -> None:
    x, w = torch.ones(1, 2), torch.ones(3, 2, requires_grad=True)
    with torch.set_grad_enabled(grad), torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        with pytest.raises(ZeroDivisionError):
            fail()
        y = x @ w.T
    assert (y.requires_grad, y.dtype) == (grad, torch.bfloat16 if autocast else torch.float32)


def test_a_function_mode_of_the_users_does_not_see_our_arithmetic(notebook: Notebook) -> None:
    class Counts(TorchFunctionMode):
        seen = 0

        def __torch_function__(self, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            Counts.seen += 1
            return function(*args, **(kwargs or {}))

    notebook.names["mode"] = Counts()
    notebook.session.unwatch()
    source = "fc = nn.Linear(2, 3)\nx = torch.ones(1, 2)\nwith mode: fc(x)"
    notebook.run(source)
    plain, Counts.seen = Counts.seen, 0
    notebook.session.watch()
    call = notebook.call(source)
    assert Counts.seen == plain > 0
    assert call.forward.kind == "identical"


def test_a_dispatch_mode_of_the_users_counts_what_it_would_without_us(notebook: Notebook) -> None:
    notebook.names["flops"] = flops = FlopCounterMode(display=False)
    call = notebook.call("fc = nn.Linear(2, 3)\nx = torch.ones(5, 2)\nwith flops: fc(x)")
    assert flops.get_total_flops() == 2 * 5 * 2 * 3
    assert call.forward.reason == "inside a torch dispatch mode"


class Seen(TorchDispatchMode):
    """The operations that a user's mode sees."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[str] = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        self.operations.append(str(function))
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    "source",
    [
        "y.sum().backward()",
        "fc.weight.grad = torch.ones(3, 2)\ny.sum().backward()",
        "try: fc(torch.ones(3, 5))\nexcept RuntimeError: pass",
    ],
)
def test_a_dispatch_mode_sees_only_the_users_operations(notebook: Notebook, source: str) -> None:
    def seen() -> list[str]:
        notebook.names["mode"] = mode = Seen()
        notebook.run("fc = nn.Linear(2, 3)\nx = torch.ones(5, 2)\ny = fc(x)")
        notebook.run("with mode:\n" + "".join(f"    {line}\n" for line in source.splitlines()))
        return mode.operations

    watched = seen()
    notebook.session.unwatch()
    assert watched == seen() != []


def test_a_profiler_counts_only_the_users_operations(notebook: Notebook) -> None:
    source = (
        "fc = nn.Linear(2, 3)\nx = torch.ones(5, 2)\ny = fc(x)\n"
        "with torch.autograd.profiler.profile() as profile:\n    fc(x)\n    y.sum().backward()\n"
    )

    def counted() -> int:
        return len([event for event in notebook.names["profile"].function_events if event.name.startswith("aten::")])

    calls = notebook.run(source)
    watched = counted()
    assert calls[1].forward.reason == "a profiler is running, and would count the check"
    assert notebook.again(calls[0]).gradients.weight == unchecked("a profiler is running, and would count the check")
    notebook.session.unwatch()
    notebook.run(source)
    assert watched == counted() > 0
