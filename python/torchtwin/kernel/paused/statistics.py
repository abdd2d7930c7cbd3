"""The elements of a tensor in a few numbers, bounded in time and memory."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from torchtwin.kernel.identity import has_storage
from torchtwin.kernel.values import number
from torchtwin.protocol.paused import Statistics

MAX_LOOKED_AT = 2**18
"""Elements of one tensor: about a millisecond, and two megabytes of copies."""


def unreadable(tensor: Tensor) -> str | None:
    """Why nothing of the tensor's elements can be said; null for a plain one."""
    if tensor.is_meta:
        return "it holds no values"
    if tensor.is_nested:
        return "it is nested"
    if type(tensor) not in (Tensor, torch.nn.Parameter):
        return f"it is a {type(tensor).__name__}, which handles itself"
    if tensor.layout != torch.strided:
        return f"its layout is {str(tensor.layout).removeprefix('torch.')}"
    if not has_storage(tensor):
        return "it stands for another tensor within a transform"
    if tensor.is_quantized:
        return "it is quantized"
    if _extent(tensor) > tensor.untyped_storage().nbytes():  # as sharding does between its uses
        return "its memory has been freed"
    return None


def waits(tensor: Tensor) -> str | None:
    """Why to read it would wait for a device that works on its own; null where it would not."""
    kind = tensor.device.type
    if kind == "cpu" or (kind == "cuda" and _is_idle(tensor.device)):
        return None
    return f"{tensor.device} is at work: to read it would wait for that"


def statistics(tensor: Tensor) -> Statistics | None:
    """Those of a tensor that can be read; null where torch has no arithmetic for its dtype."""
    try:
        return _of_elements(evenly_spread(tensor), tensor.numel())
    except (RuntimeError, NotImplementedError, TypeError):  # of bits, say, or of two numbers in one byte
        return None


def evenly_spread(tensor: Tensor) -> Tensor:
    """A view of the tensor that has no more elements than are looked at."""
    while tensor.numel() > MAX_LOOKED_AT:
        sizes = list(tensor.shape)
        longest = sizes.index(max(sizes))
        step = min(math.ceil(tensor.numel() / MAX_LOOKED_AT), sizes[longest])
        tensor = tensor[(slice(None),) * longest + (slice(None, None, step),)]
    return tensor


def _of_elements(some: Tensor, elements: int) -> Statistics:
    values = some.detach().cpu()
    if values.is_complex():
        nans, infs = int(values.isnan().sum()), int(values.isinf().sum())
        return Statistics(None, None, None, nans, infs, values.numel(), elements)
    values = values.to(torch.float64)
    is_nan = values.isnan()
    nans, infs = int(is_nan.sum()), int(values.isinf().sum())
    known = values[~is_nan] if nans else values
    if not known.numel():
        return Statistics(None, None, None, nans, infs, values.numel(), elements)
    smallest, largest = torch.aminmax(known)
    least, most, mean = (number(float(it)) for it in (smallest, largest, known.mean()))
    return Statistics(least, most, mean, nans, infs, values.numel(), elements)


def _extent(tensor: Tensor) -> int:
    """Bytes of its memory up to its last element."""
    if not tensor.numel():
        return 0
    last = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
    return (int(tensor.storage_offset()) + last + 1) * tensor.element_size()


def _is_idle(device: torch.device) -> bool:
    return not torch.cuda.is_current_stream_capturing() and torch.cuda.current_stream(device).query()
