"""`torch.func` transforms of a model give the same, nested too."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import (
    functional_call,
    grad,
    grad_and_value,
    hessian,
    jacfwd,
    jacrev,
    jvp,
    stack_module_state,
    vjp,
    vmap,
)

from torchtwin.protocol import Call

Harmless = Callable[..., list[Call]]


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))


def function(net: nn.Module) -> tuple[Callable[[dict[str, Tensor], Tensor], Tensor], dict[str, Tensor]]:
    parameters = dict(net.named_parameters())
    return lambda weights, x: functional_call(net, weights, (x,)), parameters


def loss_of(net: nn.Module) -> tuple[Callable[[dict[str, Tensor], Tensor], Tensor], dict[str, Tensor]]:
    run, parameters = function(net)
    return lambda weights, x: run(weights, x).pow(2).sum(), parameters


def batched(net: nn.Module, x: Tensor) -> object:
    return vmap(net, randomness="different")(x)


def gradient(net: nn.Module, x: Tensor) -> object:
    loss, parameters = loss_of(net)
    return grad(loss)(parameters, x)


def gradient_of_each_sample(net: nn.Module, x: Tensor) -> object:
    loss, parameters = loss_of(net)
    return vmap(grad_and_value(loss), in_dims=(None, 0))(parameters, x)


def jacobian_backward(net: nn.Module, x: Tensor) -> object:
    return jacrev(net)(x)


def jacobian_forward(net: nn.Module, x: Tensor) -> object:
    return jacfwd(net)(x)


def second_derivatives(net: nn.Module, x: Tensor) -> object:
    return hessian(lambda it: net(it).sum())(x)


def directional(net: nn.Module, x: Tensor) -> object:
    return jvp(net, (x,), (torch.ones_like(x),))


def pulled_back(net: nn.Module, x: Tensor) -> object:
    out, pull = vjp(net, x)
    return out, pull(torch.ones_like(out))


def ensemble(net: nn.Module, x: Tensor) -> object:
    parameters, buffers = stack_module_state([net, model()])
    return vmap(lambda p, b: functional_call(net, (p, b), (x,)))(parameters, buffers)


@pytest.mark.parametrize(
    "transformed",
    [
        batched,
        gradient,
        gradient_of_each_sample,
        jacobian_backward,
        jacobian_forward,
        second_derivatives,
        directional,
        pulled_back,
        ensemble,
    ],
)
def test_a_transform_gives_the_same(harmless: Harmless, transformed: Callable[..., Any]) -> None:
    x = torch.randn(6, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        transformed(model(), x)  # the first forward derivative of a process compiles formulas, and warns
    harmless(transformed, model(), x, recorded=2)
