"""What would have fitted, where a call raised: by shape, dtype and device, in the user's names."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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


def other_input(attempt: Attempt) -> Iterator[str]:
    """For an input that is no tensor: how it gives one that fits."""
    name, value, weight = attempt.named_input, attempt.input, attempt.weight
    if name is None or not is_tensor(weight) or weight.dim() == 0:
        return
    if type(value) in (int, float, list, tuple):
        yield from _of_python(name, value, weight)
    elif f"{type(value).__module__}.{type(value).__qualname__}" == "numpy.ndarray":
        yield from _of_numpy(name, value, weight)


def _of_python(name: str, value: Any, weight: Tensor) -> Iterator[str]:
    items = value if _is_list(value) else [value]
    if len(items) > MAX_ITEMS:
        return
    tensor = next((i for i, item in enumerate(items) if is_tensor(item) and _fits(item, weight)), None)
    if tensor is not None:
        yield f"Pass `{name}[{tensor}]`."
    elif (shape := _shape(items)) is not None and shape[-1] == weight.shape[-1]:
        written = name if _is_list(value) else f"[{name}]"
        yield f"Pass `torch.tensor({written}, dtype={weight.dtype})`."


def _of_numpy(name: str, array: Any, weight: Tensor) -> Iterator[str]:
    dtype = _NUMPY_DTYPES.get(array.dtype.name)
    if dtype is None or not array.dtype.isnative or array.ndim == 0 or array.shape[-1] != weight.shape[-1]:
        return
    if any(stride < 0 or stride % array.itemsize for stride in array.strides):
        return
    cast = "" if dtype == weight.dtype else f".to({weight.dtype})"
    yield f"Pass `torch.from_numpy({name}){cast}`."


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


def _fits(tensor: Tensor, weight: Tensor) -> bool:
    return tensor.dim() > 0 and tensor.shape[-1] == weight.shape[-1] and tensor.dtype == weight.dtype


def other_features(attempt: Attempt, x: Tensor, w: Tensor) -> Iterator[str]:
    """For an input with another number of features than the weight; the least surprising first."""
    if x.dtype != w.dtype:  # then a fitting shape alone would not do
        return
    takes = w.shape[-1]
    if (
        attempt.made_by == "function"
        and w.dim() == 2
        and w.shape[0] == x.shape[-1]
        and _takes(attempt.bias, w.shape[1])
    ):
        yield f"Transpose the weight: {_code(attempt.names.weight, attempt, '.T')}has shape {list(w.shape[::-1])}."
    if x.dim() == 2 and x.shape[0] == takes:
        yield f"Transpose the input: {_code(attempt.named_input, attempt, '.T')}has shape {list(x.shape[::-1])}."
    flattened = next((d for d in range(1, x.dim() - 1) if x.shape[d:].numel() == takes), None)
    if flattened is not None:
        shape = [*x.shape[:flattened], takes]
        yield f"Flatten the input: {_code(attempt.named_input, attempt, f'.flatten({flattened})')}has shape {shape}."
    elif x.dim() > 1 and x.numel() == takes:
        yield f"Flatten the input: {_code(attempt.named_input, attempt, '.flatten()')}has shape [{takes}]."
    if attempt.made_by == "layer":
        yield f"Make the layer `nn.Linear(in_features={x.shape[-1]}, out_features={w.shape[0]})`."
    elif attempt.made_by == "function":
        yield f"Pass a weight of shape {[*w.shape[:-1], x.shape[-1]]}."


def _takes(bias: object, features: int) -> bool:
    return bias is None or (is_tensor(bias) and (bias.dim() == 0 or bias.shape[-1] in (1, features)))


def _code(name: str | None, attempt: Attempt, method: str) -> str:
    """`` `h.T` ``; nothing for what has no name."""
    if name is None or name in attempt.names.placeholders:
        return "it then "
    return f"`{on(name)}{method}` "


def on(words: str) -> str:
    """The words, so that a method can be called on them."""
    return words if binds_tightly(words) else f"({words})"


def other_device(attempt: Attempt, x: Tensor, w: Tensor) -> Iterator[str]:
    """For an input on another device than the weight."""
    if w.is_meta and attempt.made_by == "layer":
        yield f'Give the layer memory: `{attempt.layer}.to_empty(device="{x.device}")`, then load or initialise it.'
    elif not x.is_meta and not w.is_meta:
        yield _on_input(attempt, "Move the input", f'.to("{w.device}")', f" to {w.device}")


def other_dtype(attempt: Attempt, x: Tensor, w: Tensor) -> Iterator[str]:
    """For an input of another dtype than the weight."""
    others_fit = not is_tensor(attempt.bias) or attempt.bias.dtype == w.dtype
    if w.is_floating_point() and not x.is_complex() and others_fit:
        yield _on_input(attempt, "Cast the input", f".to({w.dtype})", f" to {w.dtype}")
    if attempt.made_by == "layer" and x.is_floating_point():
        yield f"Cast the layer: `{attempt.layer}.to({x.dtype})`."


def _on_input(attempt: Attempt, what: str, method: str, nameless: str) -> str:
    if attempt.named_input is None:
        return f"{what}{nameless}."
    return f"{what}: `{on(attempt.named_input)}{method}`."


def other_bias(weight: Tensor) -> Sequence[str]:
    """For a bias that does not broadcast to the output."""
    return [f"Pass a bias of shape [{weight.shape[0]}]."]
