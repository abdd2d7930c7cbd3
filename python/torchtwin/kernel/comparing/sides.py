"""What a person may hand over to be compared: tensors, arrays, nested lists, numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._C._functorch import is_functorch_wrapped_tensor

from torchtwin.kernel.kinds import is_tensor


@dataclass(frozen=True)
class Side:
    words: str
    """As the user wrote it."""
    original: Tensor
    """The user's tensor, or what was made of an array or a list."""
    value: Tensor
    """The same, detached and without lazy signs or conjugates."""

    @property
    def name(self) -> str:
        """Code in backticks; other words as they are."""
        return self.words if "`" in self.words else f"`{self.words}`"


def side(value: object, words: str) -> Side | str:
    """The side, or why it can't be compared."""
    if value is None:
        return _none(words)
    if not is_tensor(value):
        made = _tensor_of(value)
        if made is None:
            kind = type(value)
            return f"`{words}` is a {kind.__module__}.{kind.__qualname__}, which holds no numbers".replace(
                "builtins.", ""
            )
        value = made
    if reason := _unreadable(value, words):
        return reason
    return Side(words, value, value.detach().resolve_conj().resolve_neg())


def _none(words: str) -> str:
    if words.endswith(".grad"):
        return f"`{words}` is None: no backward has reached it since it was made or zeroed"
    return f"`{words}` is None"


def _tensor_of(value: Any) -> Tensor | None:
    """Of a NumPy array or scalar, a nested list of numbers or of tensors of one shape, a number."""
    kind = type(value)
    try:
        if kind.__module__ == "numpy":
            return torch.from_numpy(value.copy() if value.shape else value.reshape(1).copy()).reshape(value.shape)
        if kind in (bool, int, float, complex):
            return torch.tensor(value, dtype=torch.float64 if kind is float else None)
        if kind in (list, tuple):
            if value and all(is_tensor(item) for item in value):
                return torch.stack([item.detach() for item in value])
            made = torch.tensor(value, dtype=torch.float64)
            return made
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return None
    return None


def _unreadable(tensor: Tensor, words: str) -> str | None:
    if is_functorch_wrapped_tensor(tensor):
        return f"`{words}` is inside a torch.func transform, where it has no values of its own"
    if type(tensor) not in (Tensor, nn.Parameter):
        return f"`{words}` is a {type(tensor).__name__}, a tensor subclass; compare `{words}.as_subclass(torch.Tensor)`"
    if tensor.is_nested:
        return f"`{words}` is a nested tensor; compare its parts, `{words}.unbind()`"
    if tensor.is_meta:
        return f"`{words}` is on the meta device and holds no values"
    if tensor.is_quantized:
        return f"`{words}` is quantised; compare `{words}.dequantize()`"
    if tensor.layout != torch.strided:
        return f"`{words}` has the layout {str(tensor.layout).removeprefix('torch.')}; compare `{words}.to_dense()`"
    return None
