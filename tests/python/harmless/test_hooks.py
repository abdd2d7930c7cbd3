"""Hooks of the user's run as without us, and what they do to a gradient is told and not blamed on the layer."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

import torchtwin
from torchtwin.protocol import Call

Harmless = Callable[..., list[Call]]
Step = Callable[..., object]
WatchedEvery = Callable[[], AbstractContextManager[object]]
CHANGED = "got something else than this call's share: another use of it, or a hook, changed what arrived"


def twice(gradient: Tensor) -> Tensor:
    return gradient * 2


def on_weight(layer: nn.Linear, x: Tensor) -> Tensor:
    layer.weight.register_hook(twice)
    return layer(x)


def on_input(layer: nn.Linear, x: Tensor) -> Tensor:
    x.register_hook(twice)
    return layer(x)


def on_output(layer: nn.Linear, x: Tensor) -> Tensor:
    out: Tensor = layer(x)
    out.register_hook(twice)
    return out


def on_output_in_place(layer: nn.Linear, x: Tensor) -> Tensor:
    out: Tensor = layer(x)
    out.register_hook(lambda gradient: gradient.mul_(2))
    return out.exp()


def after_accumulation(layer: nn.Linear, x: Tensor) -> Tensor:
    def change(weight: Tensor) -> None:
        weight.grad = twice(weight.grad)  # type: ignore[arg-type]

    layer.weight.register_post_accumulate_grad_hook(change)
    return layer(x)


def on_module_backward(layer: nn.Linear, x: Tensor) -> Tensor:
    layer.register_full_backward_hook(lambda module, inputs, outputs: (twice(inputs[0]),))
    return layer(x)


def before_module_backward(layer: nn.Linear, x: Tensor) -> Tensor:
    layer.register_full_backward_pre_hook(lambda module, outputs: (twice(outputs[0]),))
    return layer(x)


def on_several(layer: nn.Linear, x: Tensor) -> Tensor:
    torch.autograd.graph.register_multi_grad_hook([layer.weight, x], lambda gradients: gradients[0].zero_())
    return layer(x)


def on_node(layer: nn.Linear, x: Tensor) -> Tensor:
    out: Tensor = layer(x)
    out.grad_fn.register_hook(lambda inputs, outputs: tuple(map(twice, inputs)))  # type: ignore[union-attr]
    return out


def before_node(layer: nn.Linear, x: Tensor) -> Tensor:
    out: Tensor = layer(x)
    out.grad_fn.register_prehook(lambda outputs: tuple(map(twice, outputs)))  # type: ignore[union-attr]
    return out


def forward(layer: nn.Linear, x: Tensor) -> Tensor:
    layer.register_forward_hook(lambda module, inputs, output: output.relu() + inputs[0].sum())
    return layer(x)


def before_forward(layer: nn.Linear, x: Tensor) -> Tensor:
    layer.register_forward_pre_hook(lambda module, inputs: (inputs[0] * 2,))
    return layer(x)


def on_everything(layer: nn.Linear, x: Tensor) -> Tensor:
    """Hooks on all modules of the process."""
    modules: Any = nn.modules.module
    handles: list[RemovableHandle] = [
        modules.register_module_forward_pre_hook(lambda module, inputs: None),
        modules.register_module_forward_hook(lambda module, inputs, output: output * 2),
        modules.register_module_full_backward_hook(lambda module, inputs, outputs: None),
    ]
    try:
        return layer(x)
    finally:
        for handle in handles:
            handle.remove()


HOOKS = [
    on_weight,
    on_input,
    on_output,
    on_output_in_place,
    after_accumulation,
    on_module_backward,
    before_module_backward,
    on_several,
    on_node,
    before_node,
    forward,
    before_forward,
    on_everything,
]


@pytest.mark.parametrize("hook", HOOKS)
def test_hooks_run_as_without_us(harmless: Harmless, step: Step, hook: Callable[..., Tensor]) -> None:
    torch.manual_seed(0)

    def program(layer: nn.Linear, x: Tensor) -> object:
        return [step(hook, layer, x), step(hook, layer, x)]

    harmless(program, nn.Linear(4, 3), torch.randn(5, 4, requires_grad=True))


def notes(watched_every: WatchedEvery, hook: Callable[..., Tensor]) -> dict[str, str | None]:
    """Of the verdict on each gradient, all of which must be that the layer is right."""
    torch.manual_seed(0)
    with watched_every():
        out = hook(nn.Linear(4, 3), torch.randn(5, 4, requires_grad=True))
        out.backward(torch.randn(5, 3))
    (record,) = torchtwin.records()
    assert {verdict["kind"] for verdict in record["gradients"].values()} == {"identical"}
    return {operand: verdict["note"] for operand, verdict in record["gradients"].items() if verdict["note"]}


@pytest.mark.parametrize(
    ("hook", "changed"),
    [
        (on_weight, {"weight": "`layer.weight.grad`"}),
        (on_input, {"input": "`x.grad`"}),
        (on_several, {"weight": "`layer.weight.grad`"}),
        (on_node, {"weight": "`layer.weight.grad`", "bias": "`layer.bias.grad`", "input": "`x.grad`"}),
        (on_module_backward, {"input": "its gradient"}),
        (forward, {"input": "`x.grad`"}),
    ],
)
def test_a_gradient_that_is_changed_after_the_layer_is_told(
    watched_every: WatchedEvery, hook: Callable[..., Tensor], changed: dict[str, str]
) -> None:
    """`forward` adds another use of the input."""
    assert notes(watched_every, hook) == {operand: f"{where} {CHANGED}" for operand, where in changed.items()}


def test_a_hook_on_what_was_accumulated_is_told(watched_every: WatchedEvery) -> None:
    sentence = "`layer.weight.grad` was added to by this backward pass, and a hook of yours runs after it"
    assert notes(watched_every, after_accumulation) == {"weight": sentence}


@pytest.mark.parametrize(
    "hook", [on_output, on_output_in_place, before_module_backward, before_node, before_forward, on_everything]
)
def test_a_gradient_that_is_changed_before_the_layer_or_not_at_all_is_not(
    watched_every: WatchedEvery, hook: Callable[..., Tensor]
) -> None:
    """What the layer gives for the gradient that it got arrives as it is."""
    assert notes(watched_every, hook) == {}


def test_of_several_inputs_of_a_hooked_module_each_is_followed_to_its_own_leaf(watched_every: WatchedEvery) -> None:
    class Pair(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(4, 3), nn.Linear(4, 3)

        def forward(self, x: Tensor, z: Tensor) -> Tensor:
            out: Tensor = self.a(x) + self.b(z)
            return out

    pair = Pair()
    pair.register_full_backward_hook(lambda module, inputs, outputs: (inputs[0], twice(inputs[1])))
    with watched_every():
        pair(torch.randn(5, 4, requires_grad=True), torch.randn(5, 4, requires_grad=True)).sum().backward()
    first, second = (record["gradients"]["input"]["note"] for record in torchtwin.records())
    assert first is None
    assert CHANGED in second
