"""Tensors of other kinds: nested, sparse, quantised, expanded, shared, subclasses that log or refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils._per_sample_grad import call_for_per_sample_grads
from torch.utils.flop_counter import FlopCounterMode

from torchtwin.protocol import Call

Harmless = Callable[..., list[Call]]
Step = Callable[..., object]


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


class Logged(Tensor):
    """Notes every function that it goes through, and stays what it is."""

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        log.append(getattr(function, "__name__", str(function)))
        return super().__torch_function__(function, types, args, kwargs or {})


log: list[str] = []


def mlp() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))


@pytest.mark.parametrize("layout", [torch.strided, torch.jagged])
def test_nested_tensors(harmless: Harmless, layout: torch.layout) -> None:
    def program(model: nn.Module, parts: list[Tensor]) -> object:
        out = model(torch.nested.as_nested_tensor(parts, layout=layout))
        padded = torch.nested.to_padded_tensor(out, 0.0)
        padded.sum().backward()
        return padded, list(out.unbind())

    parts = [torch.randn(2, 4, requires_grad=True), torch.randn(5, 4, requires_grad=True)]
    harmless(program, nn.Linear(4, 3), parts, places=False)


def with_sparse_weight(x: Tensor, weight: Tensor) -> object:
    """Warns from within the function that sparse tensors are in beta state."""
    return F.linear(x, weight.to_sparse_csr())


def test_a_sparse_weight(harmless: Harmless) -> None:
    harmless(with_sparse_weight, torch.randn(5, 4), torch.eye(3, 4), places=False)


@pytest.mark.xfail(reason="C++ code tells a warning at the line of the innermost Python frame, which is the tap's")
def test_a_warning_from_within_the_function_has_the_users_line(harmless: Harmless) -> None:
    harmless(with_sparse_weight, torch.randn(5, 4), torch.eye(3, 4))


def test_gradients_of_each_sample_by_expanded_weights(harmless: Harmless) -> None:
    def program(model: nn.Module, x: Tensor) -> object:
        call_for_per_sample_grads(model)(x).sum().backward()
        return [it.grad_sample for it in model.parameters()]

    # Expanded weights are a subclass, which calls the function once more from within.
    harmless(program, mlp(), torch.randn(5, 4), recorded=4)


def test_a_subclass_of_the_users(harmless: Harmless, step: Step) -> None:
    def program(model: nn.Module, x: Tensor) -> object:
        log.clear()
        out = step(model, x.as_subclass(Logged))
        return out, list(log)

    harmless(program, mlp(), torch.randn(5, 4))


def test_a_subclass_as_a_weight(harmless: Harmless, step: Step) -> None:
    def program(x: Tensor) -> object:
        log.clear()
        layer = nn.Linear(4, 3)
        layer.weight = nn.Parameter(layer.weight.detach().as_subclass(Logged))
        return step(layer, x), list(log)

    harmless(program, torch.randn(5, 4))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_dynamically_quantised_model(harmless: Harmless) -> None:
    """Its layers multiply by themselves."""

    def program(model: nn.Module, x: Tensor) -> object:
        return torch.ao.quantization.quantize_dynamic(model, {nn.Linear})(x)

    harmless(program, mlp(), torch.randn(5, 4), recorded=0)


def test_quantisation_aware_training(harmless: Harmless, step: Step) -> None:
    def program(layer: nn.Module, x: Tensor) -> object:
        return step(layer, x)

    layer = nn.Linear(4, 3)
    layer.qconfig = torch.ao.quantization.get_default_qat_qconfig()  # type: ignore[assignment]
    harmless(program, torch.ao.nn.qat.Linear.from_float(layer), torch.randn(5, 4))


def test_memory_that_processes_share(harmless: Harmless, step: Step) -> None:
    def program(model: nn.Module, x: Tensor) -> object:
        out = step(model.share_memory(), x)
        return out, [it.is_shared() for it in model.parameters()]

    harmless(program, mlp(), torch.randn(5, 4))


@pytest.mark.parametrize(
    "odd",
    [
        lambda: torch.randn(4),
        lambda: torch.randn(0, 4),
        lambda: torch.randn(2, 3, 5, 4),
        lambda: torch.randn(4, 5).mT,
        lambda: torch.randn(10, 8)[::2, ::2],
        lambda: torch.randn(1, 4).expand(5, 4),
        lambda: torch.full((2, 4), float("nan")),
        lambda: torch.full((2, 4), 1e38),
        lambda: torch.full((2, 4), 1e-44),
        lambda: torch.randn(5, 4).to(memory_format=torch.contiguous_format),
        lambda: torch.randn(2, 3, 5, 4).to(memory_format=torch.channels_last),
        lambda: torch._neg_view(torch.randn(5, 4)),
    ],
)
def test_inputs_of_every_shape_and_layout(harmless: Harmless, step: Step, odd: Callable[[], Tensor]) -> None:
    def program(layer: nn.Module, given: list[Tensor]) -> object:
        return step(layer, odd().requires_grad_())

    harmless(program, nn.Linear(4, 3), [])


def test_operations_that_flops_are_counted_of(harmless: Harmless, step: Step) -> None:
    def program(model: nn.Module, x: Tensor) -> object:
        with FlopCounterMode(display=False) as counter:
            out = step(model, x)
        counts: dict[str, Any] = {str(it): dict(of) for it, of in counter.get_flop_counts().items()}
        return out, {f"{it} {function}": n for it, of in counts.items() for function, n in of.items()}

    harmless(program, mlp(), torch.randn(5, 4))
