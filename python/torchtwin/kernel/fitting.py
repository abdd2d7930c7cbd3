"""What would have fitted, where a call raised: by shape, dtype and device, in the user's names.

Only what makes the call work is told: where the bias clashes as well, another input alone would not do.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Literal

import torch
from torch import Tensor, nn

from torchtwin.kernel.kinds import is_tensor
from torchtwin.kernel.naming import Names
from torchtwin.kernel.words import binds_tightly

MAX_ITEMS = 10_000
"""How many numbers of a list are looked at."""
_CPU, _META = torch.device("cpu"), torch.device("meta")
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
    def input_name(self) -> str:
        """The input in a sentence: the words that stand in the formula, with where it came from if they say nothing."""
        text, origin = self.names.input_text, self.names.input
        return f"`{text}` (`{origin}`)" if text in self.names.placeholders and origin != text else f"`{text}`"

    @property
    def named_input(self) -> str | None:
        """The input's words, where they can be typed."""
        text = self.names.input_text
        return None if text in self.names.placeholders else text


@dataclass(frozen=True)
class _Like:
    """What an operand would be, without its memory."""

    tensor: Tensor
    """On the meta device."""
    device: torch.device

    @property
    def shape(self) -> torch.Size:
        return self.tensor.shape

    @property
    def dtype(self) -> torch.dtype:
        return self.tensor.dtype

    @property
    def T(self) -> _Like:
        return replace(self, tensor=self.tensor.T)

    def dim(self) -> int:
        return self.tensor.dim()

    def flatten(self, start: int) -> _Like:
        return replace(self, tensor=self.tensor.flatten(start))

    def to(self, dtype: torch.dtype) -> _Like:
        return replace(self, tensor=self.tensor.to(dtype))

    def on(self, device: torch.device) -> _Like:
        return replace(self, device=device)


@dataclass(frozen=True)
class Fix:
    """A suggestion, and the operands of the call that follows it."""

    text: str
    input: _Like
    weight: _Like
    bias: _Like | None

    @property
    def works(self) -> bool:
        """By the rules of torch's CPU kernels, the strictest. A trial on meta tensors would allow more than they do."""
        x, w, b = self.input, self.weight, self.bias
        if not 1 <= w.dim() <= 2 or x.dim() == 0 or x.shape[-1] != w.shape[-1]:
            return False
        same = x.dtype == w.dtype != torch.bool and (b is None or b.dtype == w.dtype)
        return same and self._is_in_one_place and (b is None or _is_added(b, x, w))

    @property
    def _is_in_one_place(self) -> bool:
        """Where there are values."""
        devices = {it.device for it in (self.input, self.weight, self.bias) if it is not None}
        return len(devices) == 1 and _META not in devices


def _is_added(bias: _Like, input: _Like, weight: _Like) -> bool:
    """Whether the bias broadcasts to the output, however many dimensions torch flattens the input to."""
    if weight.dim() < 2 or bias.dim() > 2:
        return False
    if input.dim() == 1 and bias.dim() == 2:
        return bias.shape[0] == 1 and bias.shape[1] == weight.shape[0] > 1
    rows = (1, input.shape[0]) if input.dim() == 2 else (1,)
    across = bias.dim() == 0 or bias.shape[-1] in (1, weight.shape[0])
    return across and (bias.dim() < 2 or bias.shape[0] in rows)


def handles_itself(tensor: Tensor) -> bool:
    """A subclass may handle `F.linear` by itself; sparse, mkldnn, nested and quantised tensors have other kernels."""
    is_plain = type(tensor) in (Tensor, nn.Parameter) and tensor.layout == torch.strided
    return not is_plain or tensor.is_nested or tensor.is_quantized


def _bare(tensor: Tensor) -> _Like:
    return _Like(torch.empty_like(tensor, device="meta"), tensor.device)


def _empty(shape: Sequence[int], dtype: torch.dtype, device: torch.device) -> _Like:
    return _Like(torch.empty(shape, dtype=dtype, device="meta"), device)


def suggestions(fixes: Iterable[Fix]) -> list[str]:
    """Those that make the call work, in the same order."""
    return [fix.text for fix in fixes if fix.works]


class Fitting:
    """What would fit the operands of one call whose weight is a tensor. The least surprising comes first."""

    def __init__(self, attempt: Attempt, weight: Tensor) -> None:
        self._attempt = attempt
        self._weight = _bare(weight)
        self._bias = _bare(attempt.bias) if is_tensor(attempt.bias) else None

    def other_input(self) -> Iterator[Fix]:
        """For an input that is no tensor: how it gives one that fits."""
        name, value = self._attempt.named_input, self._attempt.input
        if self._weight.dim() == 0:
            return
        if f"{type(value).__module__}.{type(value).__qualname__}" == "numpy.ndarray":
            yield from self._of_numpy(name or "...", value)
        elif name is not None and type(value) in (int, float, list, tuple):
            yield from self._of_python(name, value)

    def _of_python(self, name: str, value: Any) -> Iterator[Fix]:
        items = value if _is_list(value) else [value]
        if len(items) > MAX_ITEMS:
            return
        tensors = [(at, item) for at, item in enumerate(items) if is_tensor(item) and not handles_itself(item)]
        items_that_fit = (self._with_input(f"Pass `{name}[{at}]`.", _bare(item)) for at, item in tensors)
        yield from islice((fix for fix in items_that_fit if fix.works), 1)
        if (shape := _shape(items)) is not None:
            written = name if _is_list(value) else f"[{name}]"
            text = f"Pass `torch.tensor({written}, dtype={self._weight.dtype}{_at(self._weight.device)})`."
            yield self._with_input(text, self._made_for_the_weight(shape))

    def _of_numpy(self, name: str, array: Any) -> Iterator[Fix]:
        dtype = _NUMPY_DTYPES.get(array.dtype.name)
        if dtype is None or not array.dtype.isnative:
            return
        if any(stride < 0 or stride % array.itemsize for stride in array.strides):
            return
        device = "" if self._weight.device == _CPU else f'"{self._weight.device}"'
        to = ", ".join(filter(None, (device, "" if dtype == self._weight.dtype else str(self._weight.dtype))))
        text = f"Pass `torch.from_numpy({name}){to and f'.to({to})'}`."
        yield self._with_input(text, self._made_for_the_weight(array.shape))

    def other_number_of_features(self, x: Tensor) -> Iterator[Fix]:
        """For an input with another number of features than the weight, or with no dimension."""
        have, takes = _bare(x), self._weight.shape[-1]
        if x.dim() == 0:
            text = f"Pass a tensor of shape [{takes}] or [batch, {takes}]{_on(self._weight.device)}."
            yield self._with_input(text, self._made_for_the_weight([takes]))
            return
        if self._attempt.made_by == "function" and self._weight.dim() == 2:
            code = self._code(self._attempt.names.weight, ".T")
            text = f"Transpose the weight: {code}has shape {list(self._weight.T.shape)}."
            yield Fix(text, have, self._weight.T, self._bias)
        if have.dim() == 2:
            code = self._code(self._attempt.named_input, ".T")
            yield self._with_input(f"Transpose the input: {code}has shape {list(have.T.shape)}.", have.T)
        yield from self._flattened(have, takes)
        yield from self._other_weight(have)

    def _flattened(self, x: _Like, takes: int) -> Iterator[Fix]:
        start = next((d for d in range(1, x.dim() - 1) if x.shape[d:].numel() == takes), None)
        if start is None and (x.dim() < 2 or x.shape.numel() != takes):
            return
        flat = x.flatten(start or 0)
        code = self._code(self._attempt.named_input, f".flatten({start or ''})")
        yield self._with_input(f"Flatten the input: {code}has shape {list(flat.shape)}.", flat)

    def _other_weight(self, x: _Like) -> Iterator[Fix]:
        shape = [*self._weight.shape[:-1], x.shape[-1]]
        weight = _empty(shape, self._weight.dtype, x.device)
        if self._attempt.made_by == "layer" and len(shape) == 2:
            dtype = "" if weight.dtype == torch.get_default_dtype() else f", dtype={weight.dtype}"
            made = f"nn.Linear(in_features={shape[1]}, out_features={shape[0]}{dtype}{_at(x.device)})"
            takes = self._weight.shape[-1]
            passed = _empty([takes], x.dtype, x.device)  # of the same kind
            yield self._with_input(f"Pass an input with {takes} feature{'s' * (takes != 1)}.", passed)
            yield Fix(f"Make the layer `{made}`.", x, weight, None)
        elif self._attempt.made_by == "function":
            yield Fix(f"Pass a weight of shape {shape}{_on(x.device)}.", x, weight, self._bias)

    def other_device(self, x: Tensor, w: Tensor) -> Iterator[Fix]:
        """For an input on another device than the weight."""
        if w.is_meta and self._attempt.made_by == "layer":
            to = f'`{self._attempt.layer}.to_empty(device="{x.device}")`'
            bias = None if self._bias is None else self._bias.on(x.device)
            text = f"Give the layer memory: {to}, then load or initialise it."
            yield Fix(text, _bare(x), self._weight.on(x.device), bias)
        elif not x.is_meta:
            text = self._on_input("Move the input", f'.to("{w.device}")', f" to {w.device}")
            yield self._with_input(text, _bare(x).on(w.device))

    def bias_on_another_device(self, x: Tensor, w: Tensor) -> Iterator[Fix]:
        """For a bias that is not where the weight is."""
        assert self._bias is not None
        if self._bias.device != _META:
            text = f'Move the bias: `{on(self._attempt.names.bias)}.to("{w.device}")`.'
            yield Fix(text, _bare(x), self._weight, self._bias.on(w.device))

    def other_dtype(self, x: Tensor) -> Iterator[Fix]:
        """For an input of another dtype than the weight."""
        dtype = self._weight.dtype
        if dtype.is_floating_point and not x.is_complex():
            yield self._with_input(
                self._on_input("Cast the input", f".to({dtype})", f" to {dtype}"), _bare(x).to(dtype)
            )
        if self._attempt.made_by == "layer" and x.is_floating_point():
            bias = None if self._bias is None else self._bias.to(x.dtype)
            text = f"Cast the layer: `{self._attempt.layer}.to({x.dtype})`."
            yield Fix(text, _bare(x), self._weight.to(x.dtype), bias)

    def bias_of_dtype(self, x: Tensor) -> Iterator[Fix]:
        """For a bias of another dtype than the weight."""
        assert self._bias is not None
        dtype = self._weight.dtype
        text = f"Cast the bias: `{on(self._attempt.names.bias)}.to({dtype})`."
        yield Fix(text, _bare(x), self._weight, self._bias.to(dtype))

    def other_bias(self, x: Tensor) -> Iterator[Fix]:
        """For a bias that does not broadcast to the output."""
        shape = [self._weight.shape[0]]
        text = f"Pass a bias of shape {shape}{_on(self._weight.device)}."
        yield Fix(text, _bare(x), self._weight, self._made_for_the_weight(shape))

    def _made_for_the_weight(self, shape: Sequence[int]) -> _Like:
        return _empty(shape, self._weight.dtype, self._weight.device)

    def _with_input(self, text: str, input: _Like) -> Fix:
        return Fix(text, input, self._weight, self._bias)

    def _code(self, name: str | None, method: str) -> str:
        """`` `h.T` ``; nothing for what has no name."""
        if name is None or name in self._attempt.names.placeholders:
            return "it then "
        return f"`{on(name)}{method}` "

    def _on_input(self, what: str, method: str, nameless: str) -> str:
        name = self._attempt.named_input
        return f"{what}{nameless}." if name is None else f"{what}: `{on(name)}{method}`."


def _at(device: torch.device) -> str:
    """As an argument of what makes a tensor."""
    return "" if device == _CPU else f', device="{device}"'


def _on(device: torch.device) -> str:
    return "" if device == _CPU else f" on {device}"


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
