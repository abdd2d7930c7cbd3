"""What would have fitted, where a call raised: by shape, dtype and device, in the user's names.

Only what makes the call work is told: where the bias clashes as well, another input alone would not do.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

import torch
from torch import Tensor

from torchtwin.kernel.kinds import is_tensor
from torchtwin.kernel.naming import Names
from torchtwin.kernel.words import binds_tightly

MAX_ITEMS = 10_000
"""How many numbers of a list are looked at."""
_NUMPY_DTYPES = {
    "float64": torch.float64,
    "float32": torch.float32,
    "float16": torch.float16,
    **{name: getattr(torch, name) for name in ("int64", "int32", "int16", "int8", "uint8", "bool")},
}


@dataclass(frozen=True)
class Attempt:
    """The operands of the call that raised."""

    names: Names
    made_by: Literal["layer", "function", "inside"]
    """An `nn.Linear`, the user's own call of `F.linear`, or other code of torch's, attention for one."""
    input: object
    weight: object
    bias: object

    @property
    def layer(self) -> str:
        """`fc`; of a function call, the weight's name."""
        return self.names.weight if self.made_by == "function" else self.names.call

    @property
    def named_input(self) -> str | None:
        """The input's words, where they can be typed."""
        text = self.names.input_text
        return None if text in self.names.placeholders else text


@dataclass(frozen=True)
class _Fix:
    """A suggestion, and the operands of the call that follows it, without memory."""

    text: str
    input: Tensor
    weight: Tensor
    bias: Tensor | None

    @property
    def works(self) -> bool:
        """By the rules of torch's CPU kernels, the strictest. A trial on meta tensors would allow more than they do."""
        x, w, b = self.input, self.weight, self.bias
        if not 1 <= w.dim() <= 2 or x.dim() == 0 or x.shape[-1] != w.shape[-1]:
            return False
        same = x.dtype == w.dtype != torch.bool and (b is None or b.dtype == w.dtype)
        return same and (b is None or _is_added(b, x, w))


def _is_added(bias: Tensor, input: Tensor, weight: Tensor) -> bool:
    """Whether the bias broadcasts to the output, however many dimensions torch flattens the input to."""
    if weight.dim() < 2 or bias.dim() > min(input.dim(), 2):
        return False
    rows = (1, input.shape[0]) if input.dim() == 2 else (1,)
    across = bias.dim() == 0 or bias.shape[-1] in (1, weight.shape[0])
    return across and (bias.dim() < 2 or bias.shape[0] in rows)


def _bare(tensor: Tensor) -> Tensor:
    return torch.empty_like(tensor, device="meta")


def _empty(shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    return torch.empty(shape, dtype=dtype, device="meta")


def suggestions(fixes: Iterable[_Fix]) -> list[str]:
    """Those that make the call work, in the same order."""
    return [fix.text for fix in fixes if fix.works]


class Fitting:
    """What would fit the operands of one call whose weight is a tensor. The least surprising comes first."""

    def __init__(self, attempt: Attempt, weight: Tensor) -> None:
        self._attempt = attempt
        self._weight = _bare(weight)
        self._bias = _bare(attempt.bias) if is_tensor(attempt.bias) else None

    def other_input(self) -> Iterator[_Fix]:
        """For an input that is no tensor: how it gives one that fits."""
        name, value = self._attempt.named_input, self._attempt.input
        if name is None or self._weight.dim() == 0:
            return
        if type(value) in (int, float, list, tuple):
            yield from self._of_python(name, value)
        elif f"{type(value).__module__}.{type(value).__qualname__}" == "numpy.ndarray":
            yield from self._of_numpy(name, value)

    def _of_python(self, name: str, value: Any) -> Iterator[_Fix]:
        items = value if _is_list(value) else [value]
        if len(items) > MAX_ITEMS:
            return
        tensors = [(at, item) for at, item in enumerate(items) if is_tensor(item)]
        items_that_fit = (self._with_input(f"Pass `{name}[{at}]`.", _bare(item)) for at, item in tensors)
        yield from islice((fix for fix in items_that_fit if fix.works), 1)
        if (shape := _shape(items)) is not None:
            written = name if _is_list(value) else f"[{name}]"
            text = f"Pass `torch.tensor({written}, dtype={self._weight.dtype})`."
            yield self._with_input(text, _empty(shape, self._weight.dtype))

    def _of_numpy(self, name: str, array: Any) -> Iterator[_Fix]:
        dtype = _NUMPY_DTYPES.get(array.dtype.name)
        if dtype is None or not array.dtype.isnative:
            return
        if any(stride < 0 or stride % array.itemsize for stride in array.strides):
            return
        cast = "" if dtype == self._weight.dtype else f".to({self._weight.dtype})"
        text = f"Pass `torch.from_numpy({name}){cast}`."
        yield self._with_input(text, _empty(array.shape, self._weight.dtype))

    def other_number_of_features(self, x: Tensor) -> Iterator[_Fix]:
        """For an input with another number of features than the weight, or with no dimension."""
        x, takes = _bare(x), self._weight.shape[-1]
        if x.dim() == 0:
            text = f"Pass a tensor of shape [{takes}] or [batch, {takes}]."
            yield self._with_input(text, _empty([takes], self._weight.dtype))
            return
        if self._attempt.made_by == "function" and self._weight.dim() == 2:
            code = self._code(self._attempt.names.weight, ".T")
            text = f"Transpose the weight: {code}has shape {list(self._weight.T.shape)}."
            yield _Fix(text, x, self._weight.T, self._bias)
        if x.dim() == 2:
            code = self._code(self._attempt.named_input, ".T")
            yield self._with_input(f"Transpose the input: {code}has shape {list(x.T.shape)}.", x.T)
        yield from self._flattened(x, takes)
        yield from self._other_weight(x)

    def _flattened(self, x: Tensor, takes: int) -> Iterator[_Fix]:
        start = next((d for d in range(1, x.dim() - 1) if x.shape[d:].numel() == takes), None)
        if start is None and (x.dim() < 2 or x.numel() != takes):
            return
        flat = x.flatten(start or 0)
        code = self._code(self._attempt.named_input, f".flatten({start or ''})")
        yield self._with_input(f"Flatten the input: {code}has shape {list(flat.shape)}.", flat)

    def _other_weight(self, x: Tensor) -> Iterator[_Fix]:
        shape = [*self._weight.shape[:-1], x.shape[-1]]
        weight = _empty(shape, self._weight.dtype)
        if self._attempt.made_by == "layer" and len(shape) == 2:
            dtype = "" if weight.dtype == torch.get_default_dtype() else f", dtype={weight.dtype}"
            text = f"Make the layer `nn.Linear(in_features={shape[1]}, out_features={shape[0]}{dtype})`."
            yield _Fix(text, x, weight, None)
        elif self._attempt.made_by == "function":
            yield _Fix(f"Pass a weight of shape {shape}.", x, weight, self._bias)

    def other_device(self, x: Tensor, w: Tensor) -> Iterator[_Fix]:
        """For an input on another device than the weight."""
        if w.is_meta and self._attempt.made_by == "layer":
            to = f'`{self._attempt.layer}.to_empty(device="{x.device}")`'
            yield self._with_input(f"Give the layer memory: {to}, then load or initialise it.", _bare(x))
        elif not x.is_meta and not w.is_meta:
            yield self._with_input(self._on_input("Move the input", f'.to("{w.device}")', f" to {w.device}"), _bare(x))

    def other_dtype(self, x: Tensor) -> Iterator[_Fix]:
        """For an input of another dtype than the weight."""
        dtype = self._weight.dtype
        if dtype.is_floating_point and not x.is_complex():
            yield self._with_input(
                self._on_input("Cast the input", f".to({dtype})", f" to {dtype}"), _bare(x).to(dtype)
            )
        if self._attempt.made_by == "layer" and x.is_floating_point():
            bias = None if self._bias is None else self._bias.to(x.dtype)
            text = f"Cast the layer: `{self._attempt.layer}.to({x.dtype})`."
            yield _Fix(text, _bare(x), self._weight.to(x.dtype), bias)

    def bias_of_dtype(self, x: Tensor) -> Iterator[_Fix]:
        """For a bias of another dtype than the weight."""
        assert self._bias is not None
        dtype = self._weight.dtype
        text = f"Cast the bias: `{on(self._attempt.names.bias)}.to({dtype})`."
        yield _Fix(text, _bare(x), self._weight, self._bias.to(dtype))

    def other_bias(self, x: Tensor) -> Iterator[_Fix]:
        """For a bias that does not broadcast to the output."""
        shape = [self._weight.shape[0]]
        text = f"Pass a bias of shape {shape}."
        yield _Fix(text, _bare(x), self._weight, _empty(shape, self._weight.dtype))

    def _with_input(self, text: str, input: Tensor) -> _Fix:
        return _Fix(text, input, self._weight, self._bias)

    def _code(self, name: str | None, method: str) -> str:
        """`` `h.T` ``; nothing for what has no name."""
        if name is None or name in self._attempt.names.placeholders:
            return "it then "
        return f"`{on(name)}{method}` "

    def _on_input(self, what: str, method: str, nameless: str) -> str:
        name = self._attempt.named_input
        return f"{what}{nameless}." if name is None else f"{what}: `{on(name)}{method}`."


def on(words: str) -> str:
    """The words, so that a method can be called on them."""
    return words if binds_tightly(words) else f"({words})"


def _is_list(value: object) -> bool:
    return type(value) is list or type(value) is tuple


def _shape(value: Any, left: int = MAX_ITEMS) -> list[int] | None:
    """Of nested lists of at most `left` numbers; null for anything else, or where their lengths differ."""
    if type(value) in (int, float, bool):
        return []
    if not _is_list(value) or not 0 < len(value) <= left:
        return None
    first, each = _shape(value[0], left), left // len(value)
    is_even = first is not None and math.prod(first) <= each and all(_shape(item, each) == first for item in value)
    return [len(value), *first] if first is not None and is_even else None
