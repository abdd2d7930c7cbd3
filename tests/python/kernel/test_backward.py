"""What a hook can know of the backward that it is called in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from torchtwin.kernel.backward import is_nested, started_with


@pytest.fixture
def layer() -> nn.Linear:
    return nn.Linear(4, 3)


def started(output: Tensor, backward: Callable[[], Any]) -> list[Tensor | None]:
    """What `started_with` says for the node of an output, each time that a backward passes it."""
    seen: list[Tensor | None] = []
    node = output.grad_fn
    assert node is not None
    node.register_hook(lambda *_: seen.append(started_with(_current())))
    backward()
    return seen


def _current() -> Node:
    node = torch._C._current_autograd_node()
    assert node is not None
    return node


MOVED: dict[str, Callable[[Tensor], Any]] = {
    "a gradient of the user's": lambda y: y.backward(torch.ones_like(y)),
    "a sum": lambda y: y.sum().backward(),
    "a mean": lambda y: y.mean().backward(),
    "a sum of a sum of the negative": lambda y: (-y).sum(0).sum().backward(),
    "moved elements": lambda y: y.T.unsqueeze(0).reshape(-1).sum().backward(),
    "autograd.grad": lambda y: torch.autograd.grad(y, [y.grad_fn.next_functions[0][0].variable], torch.ones_like(y)),  # type: ignore[union-attr]
}
COMPUTED: dict[str, Callable[[Tensor], Any]] = {
    "squares": lambda y: (y**2).sum().backward(),
    "cross entropy": lambda y: functional.cross_entropy(y, torch.tensor([0, 1])).backward(),
    "a product": lambda y: (y * y.detach()).sum().backward(),
    "two ways": lambda y: (y + y).sum().backward(),
    "two ends": lambda y: torch.autograd.backward([y.sum(), (y**2).sum()]),
    "an activation": lambda y: torch.relu(y).sum().backward(),
    "a sum over what was expanded": lambda y: y.expand(5, 2, 3).backward(torch.randn(5, 2, 3)),
}


@pytest.mark.parametrize("name", MOVED)
def test_a_gradient_that_is_only_moved_or_divided_is_followed_to_its_start(layer: nn.Linear, name: str) -> None:
    output = layer(torch.randn(2, 4))
    (start,) = started(output, lambda: MOVED[name](output))
    assert start is not None
    assert bool((start == 1).all())


def test_the_very_tensor_that_a_backward_was_given_is_found(layer: nn.Linear) -> None:
    output, g = layer(torch.randn(2, 4)), torch.randn(2, 3)
    (start,) = started(output, lambda: output.backward(g))
    assert start is g


@pytest.mark.parametrize("name", COMPUTED)
def test_a_gradient_that_something_is_computed_with_is_not(layer: nn.Linear, name: str) -> None:
    output = layer(torch.randn(2, 4))
    assert started(output, lambda: COMPUTED[name](output)) == [None]


def test_outside_a_backward_nothing_arrives(layer: nn.Linear) -> None:
    output = layer(torch.randn(2, 4))
    assert output.grad_fn is not None
    assert started_with(output.grad_fn) is None
    assert not is_nested()


def test_a_reentrant_checkpoint_runs_a_backward_within_a_backward(layer: nn.Linear) -> None:
    seen: list[tuple[bool, Tensor | None]] = []

    def inner(x: Tensor) -> Tensor:
        output: Tensor = layer(x)
        if output.grad_fn is not None:
            output.grad_fn.register_hook(lambda *_: seen.append((is_nested(), started_with(_current()))))
        return output

    x = torch.randn(2, 4, requires_grad=True)
    checkpoint(inner, x, use_reentrant=True).sum().backward()  # type: ignore[no-untyped-call]
    assert seen == [(True, None)]
