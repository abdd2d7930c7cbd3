"""What torch can be switched to: autocast, no gradients, meta tensors, other precisions and devices' defaults."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from torchtwin.protocol import Call

Harmless = Callable[..., list[Call]]
Step = Callable[..., object]


def model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 3))


def x() -> Tensor:
    return torch.randn(5, 4, requires_grad=True)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("cached", [True, False])
def test_autocast(harmless: Harmless, step: Step, dtype: torch.dtype, cached: bool) -> None:
    """With its cache a weight is cast once, and its graph has one node for two calls."""

    def program(model: nn.Module, x: Tensor) -> object:
        with torch.autocast("cpu", dtype=dtype, cache_enabled=cached):
            out = model(x), model(x)
        return step(lambda: out)

    harmless(program, model(), x())


def test_a_step_with_a_scaled_loss(harmless: Harmless) -> None:
    def program(model: nn.Module, x: Tensor) -> object:
        optimizer, scaler = torch.optim.SGD(model.parameters(), lr=0.1), torch.amp.GradScaler("cpu")
        with torch.autocast("cpu", dtype=torch.float16):
            loss = model(x).float().pow(2).mean()
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        norm = nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        scaler.step(optimizer)
        scaler.update()
        return loss, norm, scaler.state_dict()

    harmless(program, model(), x())


@pytest.mark.parametrize("switch", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_gradients_on_and_off(harmless: Harmless, switch: Callable[[], Any]) -> None:
    def program(model: nn.Module, x: Tensor) -> object:
        with switch():
            return model(x), torch.is_grad_enabled(), torch.is_inference_mode_enabled()

    harmless(program, model(), x())


def test_meta_tensors(harmless: Harmless, step: Step) -> None:
    harmless(step, model().to("meta"), torch.empty(5, 4, device="meta", requires_grad=True))


def test_a_default_device(harmless: Harmless) -> None:
    def program() -> object:
        with torch.device("meta"):
            return nn.Linear(4, 3)(torch.randn(5, 4))

    harmless(program)


@pytest.mark.filterwarnings("ignore:Complex modules are a new feature")
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16, torch.complex64])
def test_other_dtypes(harmless: Harmless, step: Step, dtype: torch.dtype) -> None:
    harmless(step, nn.Linear(4, 3).to(dtype), torch.randn(5, 4, dtype=dtype, requires_grad=True))


def test_deterministic_algorithms(harmless: Harmless, step: Step) -> None:
    torch.use_deterministic_algorithms(True)
    try:
        harmless(step, model(), x())
    finally:
        torch.use_deterministic_algorithms(False)


@pytest.mark.filterwarnings("ignore:Anomaly Detection")
def test_anomaly_detection(harmless: Harmless, step: Step) -> None:
    def program(model: nn.Module, x: Tensor) -> object:
        with torch.autograd.detect_anomaly():
            return step(model, x)

    harmless(program, model(), x())


def test_every_operation_that_a_mode_sees(harmless: Harmless, step: Step) -> None:
    class Functions(TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            seen["function", str(function)] += 1
            return function(*args, **(kwargs or {}))

    class Operations(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            seen["operation", str(function)] += 1
            return function(*args, **(kwargs or {}))

    seen: Counter[tuple[str, str]] = Counter()

    def program(model: nn.Module, x: Tensor) -> object:
        seen.clear()
        with Functions(), Operations():
            out = step(model, x)
        return out, {f"{kind} {name}": count for (kind, name), count in sorted(seen.items())}

    harmless(program, model(), x())


def test_hooks_on_saved_tensors(harmless: Harmless, step: Step) -> None:
    """Offloading, say. Packed and unpacked as often as without us."""
    happened: list[str] = []

    def pack(tensor: Tensor) -> Tensor:
        happened.append(f"pack {tuple(tensor.shape)}")
        return tensor

    def unpack(tensor: Tensor) -> Tensor:
        happened.append(f"unpack {tuple(tensor.shape)}")
        return tensor

    def program(model: nn.Module, x: Tensor) -> object:
        happened.clear()
        with torch.autograd.graph.saved_tensors_hooks(pack, unpack):
            out = step(model, x)
        return out, list(happened)

    harmless(program, model(), x())


def test_tensors_saved_in_other_memory(harmless: Harmless, step: Step) -> None:
    def program(model: nn.Module, x: Tensor) -> object:
        with torch.autograd.graph.save_on_cpu():
            return step(model, x)

    harmless(program, model(), x())
