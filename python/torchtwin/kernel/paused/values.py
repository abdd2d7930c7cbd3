"""Tensors and arrays as an answer shows them: shape, dtype, statistics and a small table."""

from __future__ import annotations

import sys
from typing import Any

import msgspec
import torch
from torch import Tensor

from torchtwin.kernel.describe import operand
from torchtwin.kernel.kinds import is_tensor
from torchtwin.kernel.paused.statistics import statistics, unreadable
from torchtwin.kernel.paused.tensors import can_be_told
from torchtwin.kernel.quiet import quietly
from torchtwin.kernel.values import number
from torchtwin.protocol import Number
from torchtwin.protocol.paused import Evaluated

SIDE = 8
"""Rows and columns of the table."""


@quietly
def described(value: object, answer: Evaluated) -> Evaluated | None:
    """The answer with what is told of the value; null for what is neither a tensor nor an array of numbers."""
    tensor = value if is_tensor(value) else _of_array(value)
    if tensor is None or not can_be_told(tensor):
        return None
    unread = unreadable(tensor)
    table, of = (None, []) if unread is not None else _table(tensor)
    read = statistics(tensor) if unread is None else None
    return msgspec.structs.replace(
        answer, tensor=operand("", tensor), statistics=read, unread=unread, table=table, table_of=of
    )


def _of_array(value: Any) -> Tensor | None:
    numpy: Any = sys.modules.get("numpy")
    if numpy is None or type(value) is not numpy.ndarray:
        return None
    try:
        return torch.from_numpy(value if value.flags.writeable else value.copy())
    except (TypeError, ValueError):  # strings, objects, or strides that no tensor has
        return None


def _table(tensor: Tensor) -> tuple[list[list[Number]] | None, list[int]]:
    """The first rows and columns of the last two dimensions."""
    if tensor.is_complex() or 0 in tensor.shape:
        return None, []
    of = [0] * max(tensor.dim() - 2, 0)
    part = tensor[tuple(of)]
    part = part[:SIDE, :SIDE] if part.dim() == 2 else part.reshape(1, -1)[:, :SIDE]
    try:
        rows = part.detach().cpu().to(torch.float64).tolist()
    except (RuntimeError, NotImplementedError):
        return None, []
    return [[number(it) for it in row] for row in rows], of
