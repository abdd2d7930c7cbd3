"""Which tensors are the same elements of the same memory, so that one name can stand for the other."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch._C._functorch import is_functorch_wrapped_tensor

from torchtwin.kernel.kinds import is_tensor
from torchtwin.kernel.scopes import shown


def same_view(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors are the same elements of the same memory."""
    return a is b or (
        has_storage(a)
        and has_storage(b)
        and a.data_ptr() == b.data_ptr()
        and a.shape == b.shape
        and a.stride() == b.stride()
        and a.dtype == b.dtype
        and a.device == b.device
        and a.is_conj() == b.is_conj()
        and a.is_neg() == b.is_neg()
        and a.numel() > 0
    )


def has_storage(tensor: Tensor) -> bool:
    """Whether there is memory to compare: no subclass, no transform's stand-in, no meta or sparse tensor."""
    plain = type(tensor) in (Tensor, nn.Parameter) and not is_functorch_wrapped_tensor(tensor)
    return plain and tensor.layout == torch.strided and not tensor.is_meta and not tensor.is_nested


def version(tensor: Tensor) -> int:
    """How often it was changed in place; inference tensors do not count."""
    return 0 if tensor.is_inference() else tensor._version


def mark(tensor: Tensor) -> tuple[int, int]:
    """What tells whether a tensor was changed: its version, and its memory, which `.data = ...` exchanges uncounted."""
    return version(tensor), tensor.data_ptr() if has_storage(tensor) else 0


def variable(names: Mapping[str, Any], tensor: Tensor, without: Container[str] = ()) -> str | None:
    """The variable that is `tensor`, or the same elements of the same memory; the same object first."""
    tensors = [(name, value) for name, value in shown(names) if name not in without and is_tensor(value)]
    exact = next((name for name, value in tensors if value is tensor), None)
    return exact or next((name for name, value in tensors if same_view(value, tensor)), None)
