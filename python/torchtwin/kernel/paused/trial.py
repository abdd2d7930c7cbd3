"""Whether a matmul of operands of such shapes, dtypes and devices raises: it is tried, without their elements.

Torch itself is asked, by operands of the same kind that take no memory, on the same device and under the same autocast.
Where the product would be large, sizes are made small first, equal ones equal and 1 and 0 as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from torchtwin.kernel.paused.operands import Made

MAX_MULTIPLIED = 10**6
"""The product of the numbers of elements up to which the very sizes are tried."""
_META = torch.device("meta")
Operation = Callable[..., Tensor]


@dataclass(frozen=True)
class Outcome:
    """What the product would be, or the error that it would raise; neither, where it can't be tried."""

    made: Made | None = None
    error: Exception | None = None


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`F.linear`, past the tap: the operation itself."""
    return torch._C._nn.linear(input, weight, bias)


def product(a: Tensor, b: Tensor) -> Tensor:
    return torch.matmul(a, b)


def trial(operation: Operation, operands: Sequence[Made | None]) -> Outcome:
    """What the operation gives for these operands."""
    given = [it for it in operands if it is not None]
    if any(it.device.type == "cuda" for it in given) and torch.cuda.is_current_stream_capturing():
        return Outcome()  # what is tried would become part of the graph
    try:
        tried = _tried(operation, operands, _small if _is_large(given) else _as_it_is)
    except torch.OutOfMemoryError:
        return Outcome()
    except Exception as error:
        return Outcome(error=_with_its_sizes(operation, operands, error) if _is_large(given) else error)
    shape = _shape(operation, operands)
    if shape is None:
        return Outcome()
    grad = torch.is_grad_enabled() and any(it.requires_grad for it in given)
    like = torch.empty(shape, dtype=tried.dtype, device=_META)
    return Outcome(Made(like, tried.device, grad))


def broadcast(left: Made, right: Made) -> Outcome:
    """`left + right`."""
    return trial(torch.add, [left, right])


def _is_large(given: list[Made]) -> bool:
    elements = 1
    for it in given[:2]:
        elements *= max(it.like.numel(), 1)
    return elements > MAX_MULTIPLIED or any(it.like.numel() > MAX_MULTIPLIED for it in given)


def _tried(operation: Operation, operands: Sequence[Made | None], sized: Callable[..., dict[int, int]]) -> Tensor:
    sizes = sized([it for it in operands if it is not None])
    return operation(*(None if it is None else _stand_in(it, sizes) for it in operands))


def _as_it_is(given: list[Made]) -> dict[int, int]:
    return {}


def _small(given: list[Made]) -> dict[int, int]:
    found = sorted({size for it in given for size in it.like.shape} - {0, 1})
    return {size: 2 + rank for rank, size in enumerate(found)}


def _stand_in(made: Made, sizes: dict[int, int]) -> Tensor:
    shape = [sizes.get(size, size) for size in made.like.shape]
    if made.like.is_contiguous() and made.device.type != "meta" and sum(shape) < MAX_MULTIPLIED:
        return _filled(shape, made)
    return torch.empty(1, dtype=made.like.dtype, device=made.device).as_strided(shape, [0] * len(shape))


def _filled(shape: list[int], made: Made) -> Tensor:
    return torch.empty(shape, dtype=made.like.dtype, device=made.device)


def _with_its_sizes(operation: Operation, operands: Sequence[Made | None], error: Exception) -> Exception:
    """The error as it will be worded. Torch compares shapes and dtypes before it computes anything."""
    if not any(char.isdigit() for char in str(error)):
        return error
    try:
        _tried(operation, [it and _without_memory(it) for it in operands], _as_it_is)
    except Exception as worded:
        return worded if type(worded) is type(error) else error
    return error


def _without_memory(made: Made) -> Made:
    strided = torch.empty(1, device=_META, dtype=made.like.dtype).as_strided(made.like.shape, [0] * made.like.dim())
    return Made(strided, made.device, made.requires_grad)


def _shape(operation: Operation, operands: Sequence[Made | None]) -> torch.Size | None:
    try:
        bare = [None if it is None else torch.empty(it.like.shape, device=_META) for it in operands]
        return operation(*bare).shape
    except Exception:
        return None
