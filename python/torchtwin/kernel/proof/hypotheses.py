"""What a wrong formula of a linear layer may have computed instead: each candidate with where its results would lie."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from torchtwin.kernel.proof import linear
from torchtwin.kernel.proof.bounds import UNIT_ROUNDOFF
from torchtwin.kernel.proof.enclosure import Enclosure
from torchtwin.kernel.twin import Twin
from torchtwin.protocol import DiagnosisCode

_FAULTS: dict[DiagnosisCode, str] = {
    "missing_transpose": "lacks the transpose",
    "missing_bias": "lacks the bias",
    "bias_twice": "adds the bias twice",
}
_LOW = {"bfloat16": torch.bfloat16, "float16": torch.float16, "TF32": None}


@dataclass(frozen=True)
class Hypothesis:
    """The causes that together lead to this result; none of them is the right formula itself."""

    causes: tuple[DiagnosisCode, ...]
    within: Enclosure
    what: str
    """What was computed, as words after "is": `` `x @ w` ``."""
    advice: str
    """What to write instead."""
    fault: str = ""
    """What it does wrong, as words after its name: "lacks the bias"."""


@dataclass(frozen=True)
class LinearNames:
    """The user's words for the operands of the right formula."""

    input: str
    weight: str
    bias: str
    expression: str


@dataclass(frozen=True)
class Parameters:
    """What weight and bias were at another time than at the call."""

    weight: Tensor
    bias: Tensor | None
    is_later: bool


def of_output(twin: Twin, shape: torch.Size, names: LinearNames, others: list[Parameters]) -> Iterator[Hypothesis]:
    """Other formulas for the output; `others` are values that its parameters had before and after."""
    yield from _of_operands(twin, shape, names)
    for other in others:
        dtype = twin.weight.dtype  # autocast's
        moved = None if other.bias is None else other.bias.to(dtype)
        for bias in (moved, twin.bias) if twin.bias is not None else (None,):
            if (within := linear.output(Twin(twin.input, other.weight.to(dtype), bias), shape)) is not None:
                yield Hypothesis(("stale_operand",), within, *_stale(names, other.is_later))
    yield from _of_low_precision(twin, shape, names)


def _stale(names: LinearNames, is_later: bool) -> tuple[str, str]:
    if is_later:
        what = f"computed with `{names.weight}` as it became after the call"
        return what, "Call the layer anew: its output is from before the change."
    what = f"computed with `{names.weight}` as it was before it was changed"
    return what, "Compute it anew, or keep a copy of the old weight."


def _of_operands(twin: Twin, shape: torch.Size, names: LinearNames) -> Iterator[Hypothesis]:
    x, w, b = names.input, names.weight, names.bias
    square = twin.weight.dim() == 2 and twin.weight.shape[0] == twin.weight.shape[1]
    biased = twin.bias is not None
    weights: list[tuple[tuple[DiagnosisCode, ...], Tensor, str]] = [((), twin.weight, f"{x} @ {w}.T")]
    if square:
        weights.append((("missing_transpose",), twin.weight.T, f"{x} @ {w}"))
    biases: list[tuple[tuple[DiagnosisCode, ...], int]] = [((), 1), (("missing_bias",), 0), (("bias_twice",), 2)]
    for of_weight, weight, product in weights:
        for of_bias, times in biases if biased else [((), 1)]:
            causes = of_weight + of_bias
            within = _with_bias(replace(twin, weight=weight), shape, times) if causes else None
            if within is not None:
                what = product + f" + {b}" * (times if biased else 0)
                fault = " and ".join(_FAULTS[cause] for cause in causes)
                yield Hypothesis(causes, within, f"`{what}`", f"Write `{names.expression}`.", fault)


def _with_bias(twin: Twin, shape: torch.Size, times: int) -> Enclosure | None:
    if twin.bias is None or times == 1:
        return linear.output(twin, shape)
    if times == 0:
        return linear.output(replace(twin, bias=None), shape)
    once = linear.output(twin, shape)
    if once is None:
        return None
    bias = twin.bias.double().broadcast_to(shape) if twin.bias.dim() <= len(shape) else twin.bias.double()[0]
    rounding = 2 * once.unit * (once.value.abs() + bias.abs() + once.limit)
    return replace(once, value=once.value + bias, limit=once.limit + rounding, scale=once.scale + bias.abs())


def _of_low_precision(twin: Twin, shape: torch.Size, names: LinearNames) -> Iterator[Hypothesis]:
    """The factors rounded to fewer bits before they were multiplied, and perhaps the result as well."""
    if twin.input.dtype not in (torch.float32, torch.float64):
        return
    advice = f"Compute `{names.expression}` in {str(twin.input.dtype).removeprefix('torch.')} throughout."
    for name, dtype in _LOW.items():
        factors = replace(twin, input=_rounded(twin.input, dtype), weight=_rounded(twin.weight, dtype))
        if (within := linear.output(factors, shape)) is not None and _says_something(within):
            yield Hypothesis(("lower_precision",), within, f"computed with factors in {name}", advice)
        whole = None if dtype is None else _wholly_in(dtype, factors, shape)
        if whole is not None and _says_something(whole):
            yield Hypothesis(("lower_precision",), whole, f"computed in {name}", advice)


def _says_something(within: Enclosure) -> bool:
    """Whether most of it is narrower than its values. In a lower precision it may not be: then anything lies within."""
    return 2 * int((within.value.abs() > 2 * within.limit).sum()) > int((within.value != 0).sum())


def _wholly_in(dtype: torch.dtype, factors: Twin, shape: torch.Size) -> Enclosure | None:
    """With the bias and the result rounded as well, the product perhaps before the sum."""
    bias = None if factors.bias is None else _rounded(factors.bias, dtype)
    within, product = (linear.output(replace(factors, bias=it), shape) for it in (bias, None))
    if within is None or product is None:
        return None
    unit, tiny = UNIT_ROUNDOFF[dtype], torch.finfo(dtype).tiny
    wide = UNIT_ROUNDOFF[torch.float32] * (factors.weight.shape[-1] + 2) * within.scale  # the sum is kept in float32
    rounding = 2 * unit * (within.value.abs() + product.value.abs() + within.limit + wide) + 4 * tiny
    return replace(within, limit=within.limit + wide + rounding, largest=float(torch.finfo(dtype).max))


def _rounded(tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
    if dtype is not None:
        return tensor.to(dtype).to(tensor.dtype)
    bits = tensor.float().view(torch.int32)  # TF32 keeps 10 bits of the fraction; to nearest, ties to even
    kept = bits + 0xFFF + ((bits >> 13) & 1)
    return (kept & ~0x1FFF).view(torch.float32).to(tensor.dtype)


def of_fewer_passes(passes: list[Enclosure], gradient: str) -> Iterator[Hypothesis]:
    """Of `.grad` that holds several backward passes: the share of the last one, or of any other."""
    advice = f"Call `zero_grad()` before each backward: `{gradient}` holds {len(passes)} passes."
    for within in reversed(passes):
        yield Hypothesis(("scaled",), within, "the gradient of one backward pass alone", advice)


def of_gradient(role: str, twin: Twin, within: Enclosure) -> Iterator[Hypothesis]:
    """Other formulas for a gradient."""
    if role == "weight" and within.value.dim() == 2 and within.value.shape[0] == within.value.shape[1]:
        yield Hypothesis(("missing_transpose",), within.at(lambda t: t.T), "`x.T @ g`", "Write `g.T @ x`.")
