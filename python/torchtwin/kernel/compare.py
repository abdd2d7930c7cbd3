"""Holds a layer's values against its formula's, and both against float64: the verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import torch
from torch import Tensor

from torchtwin.kernel.bounds import Arithmetic, Exact, allowance, gamma
from torchtwin.kernel.values import number
from torchtwin.protocol import Diagnosis, Verdict

_INTEGERS = {torch.float64: torch.int64, torch.float32: torch.int32, torch.float16: torch.int16, torch.bfloat16: torch.int16}


def unchecked(reason: str) -> Verdict:
    """Nothing was compared, and why."""
    return Verdict(kind="unchecked", message=f"not checked: {reason}", reason=reason)


def judge(layer: Tensor, formula: Tensor, exact: Exact, how: Arithmetic) -> Verdict:
    """The verdict on two computed results of one shape and dtype, given the exact one in the same shape.

    `identical` if every element is the same (NaN equals NaN, -0.0 equals 0.0); `rounding` if both are where honest
    rounding can put them; `different` if an element of either is not.
    """
    if math.isinf(gamma(exact.terms + 1, how.sum_unit)):
        return unchecked(f"rounding has no finite bound over {exact.terms:,} terms in this precision")
    facts = _facts(layer, formula, exact, how, allowance(exact, how))
    if facts.equal == layer.numel():
        return _identical(facts, layer)
    if facts.layer_outside or facts.formula_outside:
        return _different(facts, layer, formula, exact)
    return _rounding(facts, layer)


def other_shape(layer: Tensor, formula: Tensor, values: Verdict, expression: str) -> Verdict:
    """The verdict where the formula gives another shape than the layer; `values` is the one on the values alone."""
    message = (
        f"another shape: the layer returns {list(layer.shape)}, `{expression}` gives {list(formula.shape)}; "
        f"as for the values, they are {values.message}"
    )
    diagnosis = Diagnosis("shape", f"Write `({expression}).reshape({', '.join(map(str, layer.shape))})`.")
    return msgspec.structs.replace(values, kind="different", message=message, diagnosis=diagnosis)


@dataclass(frozen=True)
class _Facts:
    same: Tensor
    equal: int
    max_abs_diff: float
    max_ulp_diff: int
    units: float
    bound: float
    layer_outside: int
    formula_outside: int
    outside: Tensor


def _facts(layer: Tensor, formula: Tensor, exact: Exact, how: Arithmetic, limit: Tensor) -> _Facts:
    same = (layer == formula) | (layer.isnan() & formula.isnan())
    a, b = layer.double(), formula.double()
    difference = torch.where(same, 0.0, (a - b).abs())
    outside_layer = ~_honest(a, exact, limit, how)
    outside_formula = ~_honest(b, exact, limit, how)
    units, bound = _in_units(difference, exact, limit, how)
    return _Facts(
        same=same,
        equal=int(same.sum()),
        max_abs_diff=float(difference.max()) if difference.numel() else 0.0,
        max_ulp_diff=_max_ulp(layer, formula, same),
        units=units,
        bound=bound,
        layer_outside=int(outside_layer.sum()),
        formula_outside=int(outside_formula.sum()),
        outside=outside_layer | outside_formula,
    )


def _honest(value: Tensor, exact: Exact, limit: Tensor, how: Arithmetic) -> Tensor:
    """Where rounding (or an overflow on the way) can have given `value`."""
    reference = exact.value
    near = reference.isfinite() & ((value - reference).abs() <= limit)
    same = (value == reference) | (value.isnan() & reference.isnan())
    can_overflow = exact.finite_scale + limit.nan_to_num(nan=0.0, posinf=0.0) >= how.largest
    return near | same | (can_overflow & ~(value.isfinite() & reference.isfinite()))


def _in_units(difference: Tensor, exact: Exact, limit: Tensor, how: Arithmetic) -> tuple[float, float]:
    """The largest difference in units of u * scale, and twice the bound (layer and formula each have one) there."""
    if not difference.numel():
        return 0.0, 0.0
    one = how.unit * exact.scale
    units = torch.where(difference == 0, 0.0, difference / one).nan_to_num(nan=torch.inf).reshape(-1)
    bounds = torch.where(limit == 0, 0.0, 2 * limit / one).nan_to_num(nan=torch.inf).reshape(-1)
    # Among equal differences (all zero, say) the smallest bound is the telling one.
    largest = units.max()
    return float(largest), float(bounds[units == largest].min())


def _max_ulp(layer: Tensor, formula: Tensor, same: Tensor) -> int:
    """Distance in representable numbers, over the elements that are finite on both sides."""
    counted = ~same & layer.isfinite() & formula.isfinite()
    if not bool(counted.any()):
        return 0
    a, b = (_ordered(t[counted]) for t in (layer, formula))
    apart = torch.where((a < 0) == (b < 0), (a - b).abs(), a.abs().clamp(max=2**62) + b.abs().clamp(max=2**62 - 1))
    return int(apart.max())


def _ordered(values: Tensor) -> Tensor:
    """Integers in the order of the floats, adjacent for adjacent floats; zero for both zeros."""
    bits = values.contiguous().view(_INTEGERS[values.dtype]).to(torch.int64)
    sign = torch.iinfo(_INTEGERS[values.dtype]).min
    return torch.where(bits < 0, sign - bits, bits)


def _identical(facts: _Facts, layer: Tensor) -> Verdict:
    n = layer.numel()
    message = f"identical, {n:,} of {n:,} elements, bit for bit" if n else "identical: both are empty"
    note = None
    if facts.layer_outside:
        note = "both lie further from the exact result than rounding in this dtype explains: a lower precision was used"
    return _verdict("identical", message, facts, n, note=note)


def _rounding(facts: _Facts, layer: Tensor) -> Verdict:
    n = layer.numel()
    apart = n - facts.equal
    share = f", {_percent(facts.units / facts.bound)} of what rounding can do" if 0 < facts.bound < torch.inf else ""
    message = f"rounding only: {apart:,} of {n:,} elements differ, by at most {facts.max_ulp_diff:,} ULP{share}"
    return _verdict("rounding", message, facts, n)


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.995 else "100 %"


def _different(facts: _Facts, layer: Tensor, formula: Tensor, exact: Exact) -> Verdict:
    n = layer.numel()
    count = int(facts.outside.sum())
    place = _first(facts.outside)
    at = tuple(place)
    message = (
        f"different: {count:,} of {n:,} elements lie outside what rounding can do, first {place}: "
        f"layer {float(layer[at]):.9g}, formula {float(formula[at]):.9g}, exact {float(exact.value[at]):.9g}"
    )
    return _verdict("different", message, facts, n, diagnosis=_diagnosis(facts, layer, formula))


def _diagnosis(facts: _Facts, layer: Tensor, formula: Tensor) -> Diagnosis:
    for name, value in (("layer", layer), ("formula", formula)):
        wrong = facts.outside & ~value.isfinite()
        if bool(wrong.any()):
            place = _first(wrong)
            return Diagnosis("nonfinite", f"The {name} gives {float(value[tuple(place)])} at {place}.")
    return Diagnosis("unexplained", "No simple cause found.")


def _first(mask: Tensor) -> Sequence[int]:
    return [int(i) for i in mask.nonzero()[0]]


def _verdict(
    kind: str, message: str, facts: _Facts, elements: int, diagnosis: Diagnosis | None = None, note: str | None = None
) -> Verdict:
    return Verdict(
        kind=kind,  # type: ignore[arg-type]
        message=message,
        equal_elements=facts.equal,
        elements=elements,
        max_abs_diff=number(facts.max_abs_diff),
        max_ulp_diff=facts.max_ulp_diff,
        units=number(facts.units),
        bound=number(facts.bound),
        coverage="all",
        diagnosis=diagnosis,
        note=note,
    )
