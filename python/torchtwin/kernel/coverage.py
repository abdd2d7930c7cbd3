"""Decides which calls and gradients are checked; `gradient.py` alone knows which autograd graphs it can follow."""

from __future__ import annotations

import torch
from torch import Tensor, nn

MAX_MULTIPLY_ADDS = 10**7
"""A product of more than this is probed, not computed anew; below about a tenth of it a probe would even cost more."""
MAX_ELEMENTS = 2**17
"""A product with more in its result or in an operand is probed: in full it takes too much memory meanwhile."""
CHECKED_DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
_PLAIN = (Tensor, nn.Parameter)


def reason_not_to_check(input: Tensor, weight: Tensor, bias: Tensor | None, output: Tensor) -> str | None:
    """Why this call stays `unchecked`; null when all its elements are to be checked, forward and backward."""
    operands = [t for t in (input, weight, bias, output) if t is not None]
    return _surroundings() or next((r for t in operands if (r := _unreadable(t))), None)


def reason_not_to_check_gradient(gradient: Tensor) -> str | None:
    """Why the gradients of a call that was checked stay `unchecked`, given the gradient of its output."""
    if reason := _surroundings():
        return reason
    if torch._C._functorch.is_functorch_wrapped_tensor(gradient) or _is_legacy_batch(gradient):
        return "a batch of gradients at once"
    return None


def is_queued(tensor: Tensor) -> bool:
    """Whether to look at a number of it would wait for a device that works on its own."""
    return tensor.device.type != "cpu"


def is_probed(left: Tensor, right: Tensor) -> bool:
    """Whether `left @ right.T`, of (M, K) and (N, K), is too large to be computed anew in full."""
    rows, columns = left.shape[0], right.shape[0]
    if not left.shape[1]:  # there is nothing to compute
        return False
    largest = max(left.numel(), right.numel(), rows * columns)
    return left.numel() * columns > MAX_MULTIPLY_ADDS or largest > MAX_ELEMENTS


def _surroundings() -> str | None:
    if torch._C._len_torch_dispatch_stack():
        return "inside a torch dispatch mode"
    if torch._C._autograd._profiler_enabled():
        return "a profiler is running, and would count the check"
    if torch.cuda._initialized and torch.cuda.is_current_stream_capturing():
        return "inside a CUDA graph capture"
    return None


def _is_legacy_batch(gradient: Tensor) -> bool:
    """Of `torch.autograd.grad(is_grads_batched=True)`: its stand-in knows few operations, and has no name in Python."""
    try:
        gradient.detach()
    except RuntimeError:
        return True
    return False


def _unreadable(tensor: Tensor) -> str | None:
    if tensor.is_nested:
        return "nested tensors have no one shape"
    if torch._C._functorch.is_functorch_wrapped_tensor(tensor):
        return "inside a torch.func transform"
    if type(tensor) not in _PLAIN:
        return f"{type(tensor).__name__} is a tensor subclass"
    if tensor.is_meta:
        return "meta tensors hold no values"
    if tensor.device.type == "mps":
        return "mps has no float64 to judge by"
    if tensor.layout != torch.strided:
        return f"{str(tensor.layout).removeprefix('torch.')} layout"
    if tensor.dtype not in CHECKED_DTYPES:
        return f"no rounding bound for {str(tensor.dtype).removeprefix('torch.')}"
    return None
