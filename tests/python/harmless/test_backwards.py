"""Every way to ask autograd for gradients gives the same ones."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from torchtwin.protocol import Call

Harmless = Callable[..., list[Call]]
Program = Callable[[nn.Module, Tensor], object]


def double_backward(model: nn.Module, x: Tensor) -> object:
    """A gradient penalty."""
    (gradient,) = torch.autograd.grad(model(x).pow(3).sum(), x, create_graph=True)
    gradient.pow(2).sum().backward()
    return gradient


def triple_backward(model: nn.Module, x: Tensor) -> object:
    value: Tensor = model(x).pow(4).sum()
    for _ in range(3):
        (gradient,) = torch.autograd.grad(value, x, create_graph=True)
        value = gradient.pow(2).sum()
    value.backward()
    return value


def grad_of_some(model: nn.Module, x: Tensor) -> object:
    weights = [it for it in model.parameters() if it.dim() > 1]
    return torch.autograd.grad(model(x).sum(), weights)


def grad_of_what_lies_between(model: nn.Module, x: Tensor) -> object:
    hidden = model[0](x)  # type: ignore[index]
    return torch.autograd.grad(model[1:](hidden).sum(), [hidden, x], retain_graph=True)  # type: ignore[index]


def unused(model: nn.Module, x: Tensor) -> object:
    return torch.autograd.grad(model(x).sum(), [x, torch.ones(2, requires_grad=True)], allow_unused=True)


def batched(model: nn.Module, x: Tensor) -> object:
    out = model(x)
    return torch.autograd.grad(out, x, torch.eye(out.numel()).view(-1, *out.shape), is_grads_batched=True)


def retain_graph(model: nn.Module, x: Tensor) -> object:
    out = model(x)
    for _ in range(3):
        out.sum().backward(retain_graph=True)
    return out


def accumulated(model: nn.Module, x: Tensor) -> object:
    return [(model(part).mean() / 2).backward() for part in x.chunk(2)]


def with_inputs(model: nn.Module, x: Tensor) -> object:
    out = model(x)
    out.sum().backward(inputs=[x, next(iter(model.parameters()))])
    return out


def retained(model: nn.Module, x: Tensor) -> object:
    hidden = model[0](x)  # type: ignore[index]
    hidden.retain_grad()
    model[1:](hidden).sum().backward()  # type: ignore[index]
    return hidden.grad


def create_graph(model: nn.Module, x: Tensor) -> object:
    gradients = torch.autograd.grad(model(x).pow(2).sum(), list(model.parameters()), create_graph=True)
    return gradients


def jacobian(model: nn.Module, x: Tensor) -> object:
    return torch.autograd.functional.jacobian(model, x)


def second_time(model: nn.Module, x: Tensor) -> object:
    """Not allowed: the graph is gone."""
    loss = model(x).pow(2).sum()
    loss.backward()
    with pytest.raises(RuntimeError) as caught:
        loss.backward()
    return str(caught.value)


def changed_in_between(model: nn.Module, x: Tensor) -> object:
    """Not allowed: the layer needs its input as it was."""
    h = x * 2
    out = model(h)
    h += 1
    with pytest.raises(RuntimeError) as caught:
        out.sum().backward()
    return str(caught.value)


def wrong_shape(model: nn.Module, x: Tensor) -> object:
    with pytest.raises(RuntimeError) as caught:
        model(x.mT)
    return type(caught.value), str(caught.value)


PROGRAMS: list[Program] = [
    double_backward,
    triple_backward,
    grad_of_some,
    grad_of_what_lies_between,
    unused,
    batched,
    retain_graph,
    accumulated,
    with_inputs,
    retained,
    create_graph,
    jacobian,
    second_time,
    changed_in_between,
    wrong_shape,
]


@pytest.mark.parametrize("program", PROGRAMS)
def test_gradients_are_the_same(harmless: Harmless, program: Program) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
    harmless(program, model, torch.randn(6, 4, requires_grad=True))
