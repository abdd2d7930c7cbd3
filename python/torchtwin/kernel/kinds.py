"""What an object of the user's is, by its type alone: `isinstance` would ask a proxy for its `__class__`."""

from __future__ import annotations

from typing import TypeGuard

from torch import Tensor, nn


def is_tensor(value: object) -> TypeGuard[Tensor]:
    return issubclass(type(value), Tensor)


def is_module(value: object) -> TypeGuard[nn.Module]:
    return issubclass(type(value), nn.Module)
