"""Whether a matmul of operands of such shapes, dtypes and devices raises: it is tried, without their elements.

Torch itself is asked, by operands of the same kind that take no memory, on the same device and under the same autocast.
Where the product would be large, sizes are made small first, equal ones equal and 1 and 0 as they are.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from torchtwin.kernel.paused.operands import Made

MAX_MULTIPLIED = 10**6
"""The product of the numbers of elements up to which the very sizes are tried."""
_PRIMES = (11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71)
_NUMBER = re.compile(r"\b\d+|(?<=x)\d+")
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
    if any(it.device.type == "cuda" for it in given) and not _can_be_tried_on_cuda():
        return Outcome()
    if len(_sizes(given)) > len(_PRIMES):
        return Outcome()
    sizes = _small(given) if _is_large(given) else {}
    try:
        stand_ins = [None if it is None else _stand_in(it, sizes) for it in operands]
    except Exception:  # no such device, or no memory on it
        return Outcome()
    try:
        tried = operation(*stand_ins)
    except torch.OutOfMemoryError:
        return Outcome()
    except Exception as error:
        return Outcome(error=_with_their_sizes(error, sizes, given))
    shape = _shape(operation, operands)
    if shape is None:
        return Outcome()
    grad = torch.is_grad_enabled() and any(it.requires_grad for it in given)
    like = torch.empty(shape, dtype=tried.dtype, device=_META)
    return Outcome(Made(like, tried.device, grad))


def broadcast(left: Made, right: Made) -> Outcome:
    """`left + right`."""
    return trial(torch.add, [left, right])


def _can_be_tried_on_cuda() -> bool:
    """Not before the user's own code has started it, nor while a graph is captured, which would take the trial in."""
    return torch.cuda.is_initialized() and not torch.cuda.is_current_stream_capturing()  # type: ignore[no-untyped-call]


def _is_large(given: list[Made]) -> bool:
    elements = 1
    for it in given[:2]:
        elements *= max(it.like.numel(), 1)
    return elements > MAX_MULTIPLIED or any(it.like.numel() > MAX_MULTIPLIED for it in given)


def _small(given: list[Made]) -> dict[int, int]:
    """Primes, so that in a message neither one nor a product of them is taken for another number."""
    return dict(zip(_sizes(given), _PRIMES, strict=False))


def _sizes(given: list[Made]) -> list[int]:
    return sorted({size for it in given for size in it.like.shape} - {0, 1})


def _stand_in(made: Made, sizes: dict[int, int]) -> Tensor:
    shape = [sizes.get(size, size) for size in made.like.shape]
    if made.like.is_contiguous() and made.device.type != "meta" and sum(shape) < MAX_MULTIPLIED:
        return _filled(shape, made)
    return torch.empty(1, dtype=made.like.dtype, device=made.device).as_strided(shape, [0] * len(shape))


def _filled(shape: list[int], made: Made) -> Tensor:
    return torch.empty(shape, dtype=made.like.dtype, device=made.device)


def _with_their_sizes(error: Exception, sizes: dict[int, int], given: list[Made]) -> Exception:
    """The error as torch will word it for the very operands."""
    numbers = {small: size for size, small in sizes.items()}
    for it in given:  # torch takes the leading dimensions as one
        leading = it.like.shape[:-1]
        numbers[math.prod(sizes.get(size, size) for size in leading)] = math.prod(leading)
    if sizes and len(error.args) == 1:
        error.args = (_NUMBER.sub(lambda found: str(numbers.get(int(found[0]), found[0])), str(error)),)
    return error


def _shape(operation: Operation, operands: Sequence[Made | None]) -> torch.Size | None:
    try:
        bare = [None if it is None else torch.empty(it.like.shape, device=_META) for it in operands]
        return operation(*bare).shape
    except Exception:
        return None
