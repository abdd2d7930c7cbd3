"""Whatever functions draw and count is undone, and each of them starts from the same state."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import torchtwin
from torchtwin.kernel.comparing.surroundings import Surroundings, modules_of

DRAWS: dict[str, Callable[[], float]] = {
    "torch": lambda: torch.rand(()).item(),
    "numpy": lambda: float(np.random.rand()),
    "python": random.random,
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_each_draws_the_same_numbers_and_the_next_draw_is_as_if_none_had(draw: Callable[[], float]) -> None:
    for seed in (torch.manual_seed, np.random.seed, random.seed):
        seed(7)
    undisturbed = draw()
    for seed in (torch.manual_seed, np.random.seed, random.seed):
        seed(7)
    x = torch.ones(3)
    verdict = torchtwin.compare(lambda: x * draw(), lambda: x * draw())
    assert verdict.kind == "identical"
    assert draw() == undisturbed


def test_a_state_is_put_back_where_a_function_raises_as_well() -> None:
    bn, before = nn.BatchNorm1d(3), random.getstate()
    kept = bn.running_mean

    def raises() -> Tensor:
        random.random()
        bn(torch.randn(4, 3))
        raise ValueError

    assert torchtwin.compare(raises, raises).kind == "unchecked"
    assert random.getstate() == before
    assert bn.running_mean is kept


in_the_notebook = nn.BatchNorm1d(3)


def calls_of(bn: nn.BatchNorm1d, x: Tensor) -> dict[str, Callable[..., Any]]:
    def outer() -> Tensor:
        return inner()

    def inner() -> Tensor:
        return torch.as_tensor(bn(x))

    def by_default(bn: nn.BatchNorm1d = bn) -> Tensor:
        return torch.as_tensor(bn(x))

    return {
        "a lambda": lambda: bn(x),
        "a lambda in a lambda": lambda: (lambda: bn(x))(),
        "a method": bn.forward,
        "the module": bn,
        "a container": nn.Sequential(nn.Sequential(bn)),
        "a partial": partial(bn, x),
        "a function of a function": outer,
        "a default": by_default,
    }


@pytest.mark.parametrize("how", calls_of(nn.BatchNorm1d(3), torch.ones(4, 3)))
def test_running_statistics_are_as_before_however_the_module_is_used(how: str) -> None:
    bn, x = nn.BatchNorm1d(3), torch.randn(4, 3)
    buffers = dict(bn.named_buffers())
    before = {name: (buffer.clone(), buffer._version) for name, buffer in buffers.items()}
    function = calls_of(bn, x)[how]
    verdict = torchtwin.compare(function, function, wrt=[x] if how in ("a method", "the module", "a container") else [])
    assert verdict.kind == "identical"
    for name, buffer in bn.named_buffers():
        assert buffer is buffers[name]
        assert torch.equal(buffer, before[name][0])
        assert buffer._version == before[name][1]


def test_a_module_that_only_an_inner_function_names_is_found() -> None:
    assert modules_of([lambda: lambda x: in_the_notebook(x)]) == [in_the_notebook]


def test_both_start_from_the_same_statistics() -> None:
    bn, x = nn.BatchNorm1d(3), torch.randn(4, 3)

    def counted() -> Tensor:
        bn(x)
        assert bn.num_batches_tracked is not None
        return bn.num_batches_tracked * torch.ones(1)

    assert torchtwin.compare(counted, counted).kind == "identical"


def test_a_buffer_that_a_gradient_is_taken_for_stays_itself() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("scale", torch.randn(3, requires_grad=True))

        def forward(self, x: Tensor) -> Tensor:
            return x * self.get_buffer("scale")

    model, x = Scaled(), torch.randn(4, 3)
    scale = model.scale
    with Surroundings([model], []).same():
        assert model.scale is scale
    verdict = torchtwin.compare(lambda: model(x), lambda: x * model.scale, wrt=[model.scale])
    assert verdict.gradients["model.scale"].kind == "identical"


def test_recomputing_in_a_backward_changes_no_statistics() -> None:
    from torch.utils.checkpoint import checkpoint

    bn, x = nn.BatchNorm1d(3), torch.randn(4, 3)
    bn.running_mean = torch.zeros(3)
    again = lambda x: checkpoint(bn, x, use_reentrant=False)  # noqa: E731
    verdict = torchtwin.compare(again, lambda x: bn(x), wrt=[x])
    assert verdict.agrees
    assert torch.equal(bn.running_mean, torch.zeros(3))


def test_functions_that_name_each_other_end_the_search() -> None:
    def ping() -> object:
        return pong

    def pong() -> object:
        return ping, fc

    fc = nn.Linear(2, 2)
    assert modules_of([ping]) == [fc]
    assert modules_of([len, "text", None, 5]) == []


def test_a_graph_of_the_users_that_saved_a_buffer_can_still_go_back() -> None:
    bn = nn.BatchNorm1d(3).eval()
    y = bn(torch.randn(4, 3, requires_grad=True))
    with Surroundings([bn], []).same():
        bn.train()(torch.randn(4, 3))
    y.sum().backward()
