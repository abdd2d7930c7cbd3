"""Our arithmetic leaves no trace in the user's modes, and they none in it."""

from __future__ import annotations

import pytest
import torch
from tests.python.kernel.conftest import Notebook
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from torchtwin.kernel.quiet import quiet


def modes() -> tuple[bool, bool]:
    return torch.is_grad_enabled(), torch.is_autocast_enabled("cpu")


def fail_quietly() -> None:
    with quiet():
        assert modes() == (False, False)
        raise ZeroDivisionError


@pytest.mark.parametrize("grad", [True, False])
@pytest.mark.parametrize("autocast", [True, False])
def test_the_modes_are_as_before_even_after_an_error(grad: bool, autocast: bool) -> None:
    with torch.set_grad_enabled(grad), torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        with pytest.raises(ZeroDivisionError):
            fail_quietly()
        assert modes() == (grad, autocast)


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
