"""What a person may hand over to be compared: tensors, arrays, nested lists, numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch._C._functorch import is_functorch_wrapped_tensor

from torchtwin.kernel.fitting import on
from torchtwin.kernel.kinds import is_tensor
from torchtwin.kernel.words import AS_IT_IS, is_code, written

_NUMBERS = (bool, int, float, complex)


@dataclass(frozen=True)
class Side:
    words: str
    """As the user wrote it."""
    original: Tensor
    """The user's tensor, or what was made of an array or a list."""
    value: Tensor
    """The same, detached and without lazy signs or conjugates."""
    as_tensor: str = AS_IT_IS
    """Code that makes the tensor of `{}`, the user's words; empty where none is known."""

    @property
    def name(self) -> str:
        return named(self.words)

    def on(self, method: str) -> str:
        """The method called on the tensor, in a sentence."""
        if not is_code(self.name):
            return f"{self.words} with `{method}`"
        code = written(self.words, self.as_tensor, method)
        return f"{self.name}, made a tensor, with `{method}`" if code is None else f"`{code}`"


def named(words: str) -> str:
    """Code in backticks; other words as they are."""
    return words if "`" in words else f"`{words}`"


def side(value: object, words: str) -> Side | str:
    """The side, or why it can't be compared."""
    if value is None:
        return _none(words)
    as_tensor = AS_IT_IS
    if not is_tensor(value):
        made = _tensor_of(value)
        if made is None:
            return _without_numbers(value, words)
        as_tensor = _code_of(value, made)
        value = made
    if reason := _unreadable(value, words):
        return reason
    return Side(words, value, value.detach().resolve_conj().resolve_neg(), as_tensor)


def as_real(side: Side) -> Side:
    """The real and imaginary parts, along a last dimension of two."""
    value = side.value if side.value.is_complex() else side.value.to(torch.complex128)
    parts = torch.view_as_real(value)
    code = f"torch.view_as_real({side.as_tensor})" if side.as_tensor and side.value.is_complex() else ""
    return replace(side, original=parts, value=parts, as_tensor=code)


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
    return f"{named(words)} is {_a(module + kind.__qualname__)}, which holds no numbers"


def _a(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiouAEIOU' else 'a'} {noun}"


def _tensor_of(value: Any) -> Tensor | None:
    """Of a NumPy array or scalar, a nested list of numbers or of tensors of one shape, a number."""
    kind = type(value)
    try:
        if kind.__module__ == "numpy":
            native = value.astype(value.dtype.newbyteorder("="))  # a copy
            return torch.from_numpy(native if value.shape else native.reshape(1)).reshape(value.shape)
        if kind in _NUMBERS:
            return torch.tensor(value, dtype=torch.float64 if kind is float else None)
        if kind in (list, tuple):
            return _stacked(value)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return None
    return None


def _code_of(value: Any, made: Tensor) -> str:
    """Code that makes the tensor of what is no tensor; empty where it takes more than a call."""
    kind = type(value)
    if kind.__module__ == "numpy":
        is_plain = value.dtype.isnative and all(stride >= 0 for stride in value.strides)
        return "torch.tensor({})" if is_plain else ""
    if kind in (list, tuple) and value and all(is_tensor(item) for item in value):
        return "torch.stack({})"
    if not _is_of_numbers(value):
        return ""
    return f"torch.tensor({{}}, dtype={made.dtype})" if made.dtype != torch.int64 else "torch.tensor({})"


def _is_of_numbers(value: Any) -> bool:
    """Python's own, in lists of any depth."""
    return all(map(_is_of_numbers, value)) if type(value) in (list, tuple) else type(value) in _NUMBERS


def _stacked(values: Any) -> Tensor | None:
    """Numbers become float64, beside tensors as well; a complex number makes all of them complex."""
    if all(type(item) in _NUMBERS for item in values):
        is_complex = any(type(item) is complex for item in values)
        return torch.tensor(values, dtype=torch.complex128 if is_complex else torch.float64)
    parts = [item.detach() if is_tensor(item) else _tensor_of(item) for item in values]
    found = [part for part in parts if part is not None]
    return torch.stack(found) if len(found) == len(parts) else None


def _unreadable(tensor: Tensor, words: str) -> str | None:
    if is_functorch_wrapped_tensor(tensor):
        return f"{named(words)} is inside a torch.func transform, where it has no values of its own"
    if type(tensor) not in (Tensor, nn.Parameter):
        kind = f"{named(words)} is {_a(type(tensor).__name__)}, a tensor subclass"
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
