"""Tensors as the wire describes them."""

from __future__ import annotations

from typing import Any

import msgspec

from torchtwin.protocol import Operand


def dtype_name(tensor: Any) -> str:
    """`float32`."""
    return str(tensor.dtype).removeprefix("torch.")


def shape(tensor: Any) -> list[int]:
    """Its sizes; -1 where the parts of a nested tensor differ."""
    if getattr(tensor, "is_nested", False):
        return [int(tensor.size(0)), *[-1] * (tensor.dim() - 1)]
    return [int(n) for n in tensor.shape]


def operand(name: str, tensor: Any) -> Operand:
    """A tensor (or array) under the user's name for it. Reads no element."""
    return Operand(
        name=name,
        shape=shape(tensor),
        dtype=dtype_name(tensor),
        device=str(getattr(tensor, "device", "cpu")),
        requires_grad=bool(getattr(tensor, "requires_grad", False)),
    )


def transposed(operand: Operand) -> Operand:
    """`w.T` of `w`."""
    return msgspec.structs.replace(operand, name=f"{operand.name}.T", shape=operand.shape[::-1])
