"""What a wrong formula of a linear layer may have computed instead: each candidate with where its results would lie."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from torchtwin.kernel.proof import linear
from torchtwin.kernel.proof.bounds import UNIT_ROUNDOFF
from torchtwin.kernel.proof.enclosure import Enclosure, total
from torchtwin.kernel.twin import Twin
from torchtwin.kernel.words import binds_tightly
from torchtwin.protocol import DiagnosisCode

_LOW = {"bfloat16": torch.bfloat16, "float16": torch.float16, "TF32": None}
"""Below float32."""


MAX_WORK = 2**22
"""Multiply-adds of a product that is tried in unusual ways."""


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
    undo: str = ""
    """What to call on the wrong result to have the right one: `.T`. It is told in place of the advice."""
    is_rare: bool = False
    """Whether it is not worth the time to ask what else was changed in its result."""
    shows: Callable[[Tensor], bool] | None = None
    """Whether a result shows it, where that is not told by how near it lies."""


@dataclass(frozen=True)
class LinearNames:
    """The user's words for the operands of the right formula."""

    input: str
    weight: str
    bias: str
    expression: str
    nameless: frozenset[str] = frozenset()
    """Those of the words in the expression that stand for an operand without a name."""


@dataclass(frozen=True)
class _Product:
    """A product of the operands."""

    text: str
    operands: Twin
    is_transposed: bool = False
    """Whether it is what the operands give, transposed."""
    fault: str = ""
    advice: str = ""
    is_rare: bool = False


@dataclass(frozen=True)
class _Bias:
    """What is done with the bias."""

    text: str
    """What follows the product."""
    added: Tensor | None
    cause: DiagnosisCode | None = None
    fault: str = ""
    advice: str = ""
    is_rare: bool = False


@dataclass(frozen=True)
class Parameters:
    """What weight and bias were at another time than at the call."""

    weight: Tensor
    bias: Tensor | None
    is_later: bool


def of_output(
    twin: Twin, shape: torch.Size, names: LinearNames, others: list[Parameters], input: Tensor | None = None
) -> Iterator[Hypothesis]:
    """Other formulas for the output; `others` are values that its parameters had before and after, `input` is as it is
    now."""
    yield from _of_operands(twin, shape, names)
    for other in others:
        dtype = twin.weight.dtype  # autocast's
        moved = None if other.bias is None else other.bias.to(dtype)
        for bias in (moved, twin.bias) if twin.bias is not None else (None,):
            if (within := linear.output(Twin(twin.input, other.weight.to(dtype), bias), shape)) is not None:
                yield Hypothesis(("stale_operand",), within, *_stale(names.weight, other.is_later))
    yield from _of_changed_input(twin, shape, names, input)
    yield from _of_low_precision(twin, shape, names)


def _stale(operand: str, is_later: bool) -> tuple[str, str]:
    if is_later:
        what = f"computed with `{operand}` as it became after the call"
        return what, "Call the layer anew: its output is from before the change."
    what = f"computed with `{operand}` as it was before it was changed"
    return what, "Compute it anew, or keep a copy of the old weight."


def _of_changed_input(twin: Twin, shape: torch.Size, names: LinearNames, input: Tensor | None) -> Iterator[Hypothesis]:
    """The input as it became, where it was changed in place."""
    if input is None or input.shape != twin.input.shape or input.device != twin.input.device:
        return
    now = input.detach().to(twin.input.dtype)
    if not torch.equal(now, twin.input) and (within := linear.output(replace(twin, input=now), shape)) is not None:
        yield Hypothesis(("stale_operand",), within, *_stale(names.input, is_later=True))


def _of_operands(twin: Twin, shape: torch.Size, names: LinearNames) -> Iterator[Hypothesis]:
    """Every product with everything that may be done with the bias, but for the right formula."""
    for product in _products(twin, shape, names):
        within = linear.output(replace(product.operands, bias=None), shape)
        for bias in _biases(twin.bias, shape, names):
            if within is not None and (product.fault or bias.fault) and not _is_all_transposed(product, bias):
                placed = within.at(lambda t: t.T) if product.is_transposed else within
                yield _of_formula(product, bias, _plus(placed, bias.added), names)


def _is_all_transposed(product: _Product, bias: _Bias) -> bool:
    """That is a change of the result, and is told as one."""
    return product.is_transposed and ((bias.added is None and not bias.fault) or bias.cause == "shape")


def _products(twin: Twin, shape: torch.Size, names: LinearNames) -> Iterator[_Product]:
    """The operands multiplied in any way that gives the shape, the right one first."""
    x, w = (it if binds_tightly(it) else f"({it})" for it in (names.input, names.weight))
    input, weight = twin.input, twin.weight
    yield _Product(f"{x} @ {w}" + (".T" if weight.dim() > 1 else ""), twin)
    if weight.dim() != 2:
        return
    turned = Twin(input, weight.T, None)
    is_square = weight.shape[0] == weight.shape[1]
    if is_square:
        by = "Transpose the weight." if w in names.nameless else f"Multiply by `{w}.T`."
        yield _Product(f"{x} @ {w}", turned, fault="lacks the transpose", advice=by)
    if input.dim() != 2 or shape[0] != shape[1] or input.numel() * shape[1] > MAX_WORK:
        return
    other = "multiplies the wrong way round", "Multiply the input by the transpose of the weight.", True
    yield _Product(f"{w} @ {x}.T", twin, True, *other)
    if is_square:  # and so is the input
        yield _Product(f"{w} @ {x}", Twin(weight, input.T, None), False, *other)
        yield _Product(f"{x}.T @ {w}.T", Twin(input.T, weight, None), False, *other)
        yield _Product(f"{x}.T @ {w}", Twin(input.T, weight.T, None), False, *other)
        yield _Product(f"{w}.T @ {x}", Twin(weight.T, input.T, None), False, *other)
        yield _Product(f"{w}.T @ {x}.T", turned, True, *other)


def _biases(bias: Tensor | None, shape: torch.Size, names: LinearNames) -> Iterator[_Bias]:
    """What may be done with the bias, the right thing first."""
    if bias is None:
        yield _Bias("", None)
        return
    b, code = names.bias, "the bias" if names.bias in names.nameless else f"`{names.bias}`"
    yield _Bias(f" + {b}", bias)
    yield _Bias("", None, "missing_bias", "lacks the bias", f"Add {code}.")
    yield _Bias(f" + {b} + {b}", 2 * bias.double(), "bias_twice", "adds the bias twice", f"Add {code} once.")
    yield _Bias(f" - {b}", -bias, "missing_bias", "subtracts the bias", f"Add {code} in place of subtracting it.", True)
    if bias.dim() == 1 and len(shape) > 1 and shape[-2] == len(bias) > 1:
        fault, advice = "adds the bias along the wrong dimension", f"Add {code} itself, which goes along the last."
        yield _Bias(f" + {b}[:, None]", bias[:, None], "shape", fault, advice, True)


def _of_formula(product: _Product, bias: _Bias, within: Enclosure, names: LinearNames) -> Hypothesis:
    causes: list[DiagnosisCode] = ["missing_transpose"] if product.fault else []
    if bias.cause is not None:
        causes.append(bias.cause)
    in_words = " ".join(filter(None, (product.advice, bias.advice)))
    return Hypothesis(
        causes=tuple(causes),
        within=within,
        what=f"`{product.text}{bias.text}`",
        advice=f"Write `{names.expression}`." if not names.nameless else in_words,
        fault=" and ".join(filter(None, (product.fault, bias.fault))),
        is_rare=product.is_rare or bias.is_rare,
    )


def _plus(product: Enclosure, bias: Tensor | None) -> Enclosure:
    """With what is added, at once or in two steps."""
    if bias is None:
        return product
    shape, finite = product.value.shape, product.finite_scale
    added = (bias.double() if bias.dim() <= len(shape) else bias.double()[0]).broadcast_to(shape)
    rounding = 2 * product.unit * (product.value.abs() + added.abs() + product.limit)
    return replace(
        product,
        value=product.value + added,
        limit=product.limit + rounding,
        scale=product.scale + added.abs(),
        finite_scale=lambda: finite() + added.abs(),
    )


def _of_low_precision(twin: Twin, shape: torch.Size, names: LinearNames) -> Iterator[Hypothesis]:
    """The factors rounded to fewer bits before they were multiplied, and perhaps the result as well."""
    if twin.input.dtype not in (torch.float32, torch.float64):
        return
    own = str(twin.input.dtype).removeprefix("torch.")
    advice = f"Compute `{names.expression}` in {own} throughout." if not names.nameless else f"Compute it in {own}."
    if twin.input.dtype == torch.float64:
        yield from _of_single_precision(twin, shape, advice)
    for name, dtype in _LOW.items():
        factors = replace(twin, input=_rounded(twin.input, dtype), weight=_rounded(twin.weight, dtype))
        if (within := linear.output(factors, shape)) is not None and _says_something(within):
            yield Hypothesis(("lower_precision",), within, f"computed with factors in {name}", advice)
        for whole in [] if dtype is None else _wholly_in(dtype, twin, factors, shape):
            if _says_something(whole):
                yield Hypothesis(("lower_precision",), whole, f"computed in {name}", advice)


def _of_single_precision(twin: Twin, shape: torch.Size, advice: str) -> Iterator[Hypothesis]:
    """Of float64: in float32. It rounds its sums as much as its factors: only its digits show it, before the bias or
    after it."""
    x, w, b = (None if it is None else it.float() for it in (twin.input, twin.weight, twin.bias))
    assert x is not None
    assert w is not None
    factors = Twin(x.double(), w.double(), twin.bias)
    if (within := linear.output(factors, shape)) is not None:
        yield Hypothesis(("lower_precision",), within, "computed with factors in float32", advice)
    in_all, product = linear.output(Twin(x, w, b), shape), linear.output(Twin(x, w, None), shape)
    if in_all is not None:
        yield Hypothesis(("lower_precision",), in_all, "computed in float32", advice, shows=_is_single)
    if product is not None and twin.bias is not None:
        bias, added = twin.bias, _plus(product, twin.bias)
        before = "computed in float32 before the bias was added"
        yield Hypothesis(
            ("lower_precision",),
            added,
            before,
            advice,
            shows=lambda value: value.shape == shape and _is_single(value, bias),
        )


def _is_single(value: Tensor, added: Tensor | None = None) -> bool:
    """Whether all are numbers of float32, before something was added in float64."""
    before = value if added is None else value - added
    sizes = value.abs() if added is None else value.abs() + added.abs()
    rounded = before.float().double()
    return bool(value.any()) and bool(((before - rounded).abs() <= UNIT_ROUNDOFF[torch.float64] * sizes).all())


def _says_something(within: Enclosure) -> bool:
    """Whether most of it is narrower than its values. In a lower precision it may not be: then anything lies within."""
    return 2 * int((within.value.abs() > 2 * within.limit).sum()) > int((within.value != 0).sum())


def _wholly_in(dtype: torch.dtype, twin: Twin, factors: Twin, shape: torch.Size) -> Iterator[Enclosure]:
    """With the result rounded as well: after the sum, before it, or both. The value is what comes out."""
    bias = None if factors.bias is None else _rounded(factors.bias, dtype)
    within, product = (linear.output(replace(factors, bias=it), shape) for it in (bias, None))
    if within is None or product is None:
        return
    unit, tiny = UNIT_ROUNDOFF[dtype], torch.finfo(dtype).tiny
    wide = UNIT_ROUNDOFF[torch.float32] * (factors.weight.shape[-1] + 2) * within.scale  # the sum is kept in float32
    rounding = 2 * unit * (within.value.abs() + product.value.abs() + within.limit + wide) + 4 * tiny
    limit = within.limit + wide + rounding
    added = within.value - product.value
    own = 0.0 if twin.bias is None else twin.bias.double()
    once = _rounded(product.value, dtype)
    for given in (_rounded(once + added, dtype), _rounded(within.value, dtype), once + own):
        apart = (given - within.value).abs().nan_to_num(nan=0.0, posinf=0.0)
        yield replace(within, value=given, limit=limit + apart, largest=float(torch.finfo(dtype).max))


def _rounded(tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
    if dtype is not None:
        return tensor.to(dtype).to(tensor.dtype)
    bits = tensor.float().view(torch.int32)  # TF32 keeps 10 bits of the fraction; to nearest, ties to even
    kept = bits + 0xFFF + ((bits >> 13) & 1)
    return (kept & ~0x1FFF).view(torch.float32).to(tensor.dtype)


def of_fewer_passes(passes: list[Enclosure], gradient: str) -> Iterator[Hypothesis]:
    """Of `.grad` that holds several backward passes: the share of the last one, or of any other; or their mean."""
    n = len(passes)
    advice = f"Call `zero_grad()` before each backward: {_told(gradient)} holds {n} passes."
    for within in reversed(passes):
        yield Hypothesis(("scaled",), within, "the gradient of one backward pass alone", advice)
    of_all = total(passes)
    rounding = of_all.unit * (of_all.terms + 2) * of_all.scale  # of one sum over all parts, in place of one over each
    mean = replace(of_all, value=of_all.value / n, limit=(of_all.limit + rounding) / n, scale=of_all.scale / n)
    what = f"the mean of the {n} backward passes whose sum {_told(gradient)} holds"
    yield Hypothesis(
        ("scaled",), mean, what, f"Divide each loss by {n} before its backward to have the mean there too."
    )


def of_fewer_calls(shares: list[Enclosure], calls: list[str]) -> Iterator[Hypothesis]:
    """Of the gradient of what several calls of one backward used: the share of one of them."""
    others = f"Add the shares of the {len(shares)} calls that used it."
    for within, call in zip(shares, calls, strict=True):
        yield Hypothesis(("scaled",), within, f"the share of {call} alone", others)


def _told(gradient: str) -> str:
    """Code in backticks; other words as they are."""
    return gradient if " " in gradient else f"`{gradient}`"


def of_gradient(
    role: str, twin: Twin, within: Enclosure, passes: Sequence[tuple[Twin, Tensor]] = (), weight: str | None = None
) -> Iterator[Hypothesis]:
    """Other formulas for a gradient, of a square weight. Each pass comes with the gradient of its output."""
    if twin.weight.dim() != 2 or twin.weight.shape[0] != twin.weight.shape[1]:
        return
    if role == "weight":
        what = "the gradient the other way round"
        yield Hypothesis(("missing_transpose",), within.at(lambda t: t.T), what, "Transpose it.", undo=".T")
    if role == "input" and passes:
        each = [linear.gradient("input", replace(it, weight=it.weight.T), g) for it, g in passes]
        known = [it for it in each if it is not None]
        if len(known) == len(each):
            by = "the weight" if weight is None else f"`{weight}`"
            what = "the gradient of the output times the transpose of the weight"
            advice = f"Multiply the gradient of the output by {by} itself, without `.T`."
            yield Hypothesis(("missing_transpose",), total(known), what, advice)
