"""Where honest results of a recorded call lie, in the dtype of its operands or in a lower one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from torchtwin.kernel.proof import linear
from torchtwin.kernel.proof.bounds import UNIT_ROUNDOFF
from torchtwin.kernel.proof.enclosure import Enclosure
from torchtwin.kernel.twin import Twin


def of_output(dtype: torch.dtype, twin: Twin, shape: torch.Size) -> Enclosure | None:
    """Null where rounding has no finite bound."""
    return _in_lower(dtype, twin, None, lambda twin, _: linear.output(twin, shape))


def of_gradient(dtype: torch.dtype, role: str, twin: Twin, grad_output: Tensor) -> Enclosure | None:
    """Of `weight`, `bias` or `input`. Null where rounding has no finite bound."""
    return _in_lower(dtype, twin, grad_output, lambda twin, g: None if g is None else linear.gradient(role, twin, g))


def _in_lower(
    dtype: torch.dtype, twin: Twin, g: Tensor | None, of: Callable[[Twin, Tensor | None], Enclosure | None]
) -> Enclosure | None:
    """For results in a lower precision than the operands' the factors are rounded first: 3 u (|x| |w|^T + |b|)."""
    within = of(twin, g)
    if within is None or not is_lower(dtype, within):
        return within
    low = Twin(twin.input.to(dtype), twin.weight.to(dtype), None if twin.bias is None else twin.bias.to(dtype))
    rounded = of(low, None if g is None else g.to(dtype))
    if rounded is None:
        return None
    limit = rounded.limit + 3 * UNIT_ROUNDOFF[dtype] * within.scale
    return replace(rounded, value=within.value, limit=limit, scale=within.scale)


def is_lower(dtype: torch.dtype, within: Enclosure) -> bool:
    """Whether a dtype is less precise than that of the results in an enclosure."""
    return UNIT_ROUNDOFF.get(dtype, 0.0) > within.unit
