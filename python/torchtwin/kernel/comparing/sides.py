"""What a person may hand over to be compared: tensors, arrays, nested lists, numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._C._functorch import is_functorch_wrapped_tensor

from torchtwin.kernel.fitting import on
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
        return named(self.words)


def named(words: str) -> str:
    """Code in backticks; other words as they are."""
    return words if "`" in words else f"`{words}`"


def side(value: object, words: str) -> Side | str:
    """The side, or why it can't be compared."""
    if value is None:
        return _none(words)
    if not is_tensor(value):
        made = _tensor_of(value)
        if made is None:
            return _without_numbers(value, words)
        value = made
    if reason := _unreadable(value, words):
        return reason
    return Side(words, value, value.detach().resolve_conj().resolve_neg())


def _none(words: str) -> str:
    if words.endswith(".grad"):
        return f"`{words}` is None: no backward has reached it since it was made or zeroed"
    return f"{named(words)} is None"


def _without_numbers(value: object, words: str) -> str:
    kind = type(value)
    if kind is int:
        return f"{named(words)} is larger than any integer of torch's"
    if kind in (list, tuple):
        return f"{named(words)} is a {kind.__name__}, but not of numbers in rows of one length"
    if kind.__module__ == "numpy":
        return f"{named(words)} is a numpy.{kind.__name__} of {getattr(value, 'dtype', 'no dtype')}, unknown to torch"
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return f"{named(words)} is a {module}{kind.__qualname__}, which holds no numbers"


def _tensor_of(value: Any) -> Tensor | None:
    """Of a NumPy array or scalar, a nested list of numbers or of tensors of one shape, a number."""
    kind = type(value)
    try:
        if kind.__module__ == "numpy":
            native = value.astype(value.dtype.newbyteorder("="))  # a copy
            return torch.from_numpy(native if value.shape else native.reshape(1)).reshape(value.shape)
        if kind in (bool, int, float, complex):
            return torch.tensor(value, dtype=torch.float64 if kind is float else None)
        if kind in (list, tuple):
            return _stacked(value)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return None
    return None


def _stacked(values: Any) -> Tensor | None:
    """Numbers become float64, beside tensors as well; a complex number makes all of them complex."""
    if all(type(item) in (bool, int, float, complex) for item in values):
        is_complex = any(type(item) is complex for item in values)
        return torch.tensor(values, dtype=torch.complex128 if is_complex else torch.float64)
    parts = [item.detach() if is_tensor(item) else _tensor_of(item) for item in values]
    found = [part for part in parts if part is not None]
    return torch.stack(found) if len(found) == len(parts) else None


def _unreadable(tensor: Tensor, words: str) -> str | None:
    if is_functorch_wrapped_tensor(tensor):
        return f"{named(words)} is inside a torch.func transform, where it has no values of its own"
    if type(tensor) not in (Tensor, nn.Parameter):
        kind = f"{named(words)} is a {type(tensor).__name__}, a tensor subclass"
        return f"{kind}; compare {_method(words, 'as_subclass(torch.Tensor)')}"
    if tensor.is_nested:
        return f"{named(words)} is a nested tensor; compare its parts, {_method(words, 'unbind()')}"
    if tensor.is_meta:
        return f"{named(words)} is on the meta device and holds no values"
    if tensor.is_quantized:
        return f"{named(words)} is quantised; compare {_method(words, 'dequantize()')}"
    if tensor.layout != torch.strided:
        layout = str(tensor.layout).removeprefix("torch.")
        return f"{named(words)} has the layout {layout}; compare {_method(words, 'to_dense()')}"
    return None


def _method(words: str, method: str) -> str:
    """The method called on the user's words, where they are code."""
    return f"its `.{method}`" if "`" in words else f"`{on(words)}.{method}`"
