"""Holds a layer's values against its formula's, and both against float64: the verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import torch
from torch import Tensor

from torchtwin.kernel.describe import dtype_name
from torchtwin.kernel.proof.bounds import UNIT_ROUNDOFF
from torchtwin.kernel.proof.enclosure import Enclosure
from torchtwin.kernel.values import MAX_ELEMENTS, number
from torchtwin.kernel.words import AS_IT_IS
from torchtwin.protocol import Diagnosis, Verdict

_FEW = 256
"""Elements that are faster read than computed with."""
_EMPTY = "identical: both are empty"
_INTEGERS = {
    torch.float64: torch.int64,
    torch.float32: torch.int32,
    torch.float16: torch.int16,
    torch.bfloat16: torch.int16,
}


def unchecked(reason: str) -> Verdict:
    """Nothing was compared, and why."""
    return Verdict(kind="unchecked", message=f"not checked: {reason}", reason=reason)


@dataclass(frozen=True)
class Words:
    """What the two sides are called in a message."""

    layer: str = "layer"
    formula: str = "formula"
    has_exact: bool = True
    """Whether the enclosure's value is the exact result, and worth telling."""
    limit: str = "what rounding can do"
    """What the enclosure's limit is."""
    layer_as: str = AS_IT_IS
    """Code that makes a tensor of the first side's words."""


USUALLY = "what rounding usually does"
"""The limit where nothing is known of how a result was computed."""


@dataclass(frozen=True)
class Part:
    """Which elements of a larger result are judged, that has M rows of N elements."""

    rows: Tensor | range
    columns: range
    width: int
    """N."""
    shape: torch.Size
    """Of the larger result, as the user has it."""

    @staticmethod
    def of_rows(rows: Tensor, width: int, shape: torch.Size) -> Part:
        """All elements of some rows."""
        return Part(rows, range(width), width, shape)

    def place(self, flat: int) -> int:
        """Among all elements of the larger result."""
        row, column = divmod(flat, len(self.columns))
        return int(self.rows[row]) * self.width + self.columns[column]


def judge(
    layer: Tensor, formula: Tensor, within: Enclosure | None, words: Words = Words(), part: Part | None = None
) -> Verdict:
    """The verdict on two computed results of one shape and dtype, given where honest ones lie, in the same shape.

    `identical` if every element is the same (NaN equals NaN, -0.0 equals 0.0); `rounding` if both are where honest
    rounding can put them; `different` if an element of either is not. Null `within`: there is no such place.
    """
    if within is None:
        return unchecked("rounding has no finite bound over so many terms in this precision")
    shape = within.value.shape
    layer_rows, formula_rows = layer.reshape(shape), formula.reshape(shape)
    if same_bits(layer_rows, formula_rows) and within.all_near(layer_rows):
        return bit_for_bit(layer.numel(), within.usual)
    usual = _usual_facts(layer_rows, formula_rows, within) if layer.dtype == formula.dtype else None
    if usual is not None:
        return _rounding(usual, layer.numel(), _ulps(usual.max_ulp_diff), words)
    return _judged(_facts(layer_rows, formula_rows, within), layer, formula, within, words, part)


def _judged(
    facts: _Facts, layer: Tensor, formula: Tensor, within: Enclosure, words: Words, part: Part | None
) -> Verdict:
    if facts.equal == layer.numel():
        return _identical(facts, layer, formula)
    if facts.outside is not None:
        return _different(facts, layer, formula, within, words, part)
    return _rounding(facts, layer.numel(), _how_far(facts, layer, formula), words)


def same_bits(a: Tensor, b: Tensor) -> bool:
    integers = _INTEGERS.get(a.dtype)
    return a.dtype == b.dtype and integers is not None and torch.equal(a.view(integers), b.view(integers))


def bit_for_bit(elements: int, bound: float) -> Verdict:
    """The verdict of nearly every call, made without a second look."""
    message = f"identical, {elements:,} of {elements:,} elements, bit for bit" if elements else _EMPTY
    return Verdict(
        kind="identical",
        message=message,
        equal_elements=elements,
        elements=elements,
        max_abs_diff=0.0,
        max_ulp_diff=0,
        units=0.0,
        bound=number(bound),
        coverage="all",
        proof=True,
    )


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
    """All that a verdict says of two results, and the masks that it is read from."""

    equal: int
    max_abs_diff: float
    max_ulp_diff: int
    units: float
    bound: float
    outside: Tensor | None
    """Elements that rounding can't explain, in the layer or in the formula; null where there are none."""


def _usual_facts(layer: Tensor, formula: Tensor, within: Enclosure) -> _Facts | None:
    """Of results that differ somewhere, in one dtype, and are all near the exact one; null where they are not."""
    if 0 < layer.numel() <= _FEW and layer.device.type == "cpu":
        return _facts_of_few(layer, formula, within)
    return _facts_of_many(layer, formula, within) if layer.numel() else None


def _facts_of_few(layer: Tensor, formula: Tensor, within: Enclosure) -> _Facts | None:
    """A tensor's operation takes as long as Python does for some ten numbers."""
    sides = torch.stack([layer, formula])
    values = torch.stack([*sides.double(), within.value, within.limit, within.scale]).reshape(5, -1).tolist()
    places = sides.view(_INTEGERS[layer.dtype]).reshape(2, -1).tolist()
    lowest = torch.iinfo(_INTEGERS[layer.dtype]).min
    equal, ulps = 0, 0
    most = units = bound = 0.0
    for a, b, exact, limit, scale, place, other in zip(*values, *places, strict=True):
        if not (abs(a - exact) <= limit and abs(b - exact) <= limit and limit + scale < within.largest):
            return None
        if a == b:
            equal += 1
            continue
        one = within.unit * scale
        if not one:
            return None
        place, other = (bits if bits >= 0 else lowest - bits for bits in (place, other))
        most, ulps = max(most, abs(a - b)), max(ulps, abs(place - other))
        if (share := abs(a - b) / one) >= units:
            bound = min(bound, 2 * limit / one) if share == units else 2 * limit / one
            units = share
    return _Facts(equal, most, ulps, units, bound, outside=None) if most else None


def _facts_of_many(layer: Tensor, formula: Tensor, within: Enclosure) -> _Facts | None:
    return _read(queued_facts(layer, formula, within).tolist(), within.largest)


def queued_facts(layer: Tensor, formula: Tensor, within: Enclosure) -> Tensor:
    """What `usual_verdict` reads, of results of one dtype that are not empty; no number is looked at here."""

    def flat(tensor: Tensor) -> Tensor:
        return tensor.reshape(1, -1)

    return queued_facts_of_each(flat(layer), flat(formula), within.at(flat))[0]


def queued_facts_of_each(layer: Tensor, formula: Tensor, within: Enclosure) -> Tensor:
    """A row of them for each of several results, told apart by the first dimension of all tensors."""
    each = tuple(range(1, layer.dim()))
    sides = torch.stack([layer, formula])
    places, values = _ordered(sides), sides.double()
    difference = (values[0] - values[1]).abs_()
    one = within.unit * within.scale
    units = (difference / one).nan_to_num_(nan=0.0)  # 0 / 0
    largest = units.amax(each, keepdim=True)
    bits = sides.view(_INTEGERS[layer.dtype])
    told = [
        ((values - within.value).abs_() <= within.limit).flatten(2).all(2).all(0),
        within.limit.amax(each) + within.scale.amax(each),
        (difference == 0).sum(each),
        (bits[0] == bits[1]).sum(each),
        difference.amax(each),
        (places[0] - places[1]).abs_().amax(each),
        largest.flatten(),
        torch.where(units == largest, within.limit / one, torch.inf).amin(each),
    ]
    return torch.stack([it.double() for it in told], dim=1)


def usual_verdict(told: Sequence[float], elements: int, bound: float, largest: float) -> Verdict | None:
    """The verdict on `queued_facts`; null where it takes a look at the elements.

    `bound`: the enclosure's `usual`; `largest`: the largest finite number of the dtype.
    """
    near, size, _, same_bits, *_ = told
    if near and size < largest and same_bits == elements:
        return bit_for_bit(elements, bound)
    facts = _read(told, largest)
    return None if facts is None else _rounding(facts, elements, _ulps(facts.max_ulp_diff), Words())


def _read(told: Sequence[float], largest: float) -> _Facts | None:
    near, size, equal, _, most, ulps, units, bound = told
    if not (near and most and size < largest and ulps < 2**53 and units < math.inf):
        return None
    return _Facts(int(equal), most, int(ulps), units, 2 * bound, outside=None)


def _facts(layer: Tensor, formula: Tensor, within: Enclosure) -> _Facts:
    same = (layer == formula) | (layer.isnan() & formula.isnan())
    a, b = layer.double(), formula.double()
    difference = torch.where(same, 0.0, (a - b).abs())
    units, bound = _in_units(difference, within)
    outside = ~(within.holds(a) & within.holds(b))
    return _Facts(
        equal=int(same.sum()),
        max_abs_diff=float(difference.max()) if difference.numel() else 0.0,
        max_ulp_diff=_max_ulp(layer, formula, same),
        units=units,
        bound=bound,
        outside=outside if bool(outside.any()) else None,
    )


def _in_units(difference: Tensor, within: Enclosure) -> tuple[float, float]:
    """The largest difference in units of u * scale, and twice the bound (layer and formula each have one) there."""
    if not difference.numel():
        return 0.0, 0.0
    one, limit = within.unit * within.scale, within.limit
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
    dtype = _less_precise(layer, formula).dtype
    a, b = (_ordered(t[counted].to(dtype)) for t in (layer, formula))
    apart = torch.where((a < 0) == (b < 0), (a - b).abs(), a.abs().clamp(max=2**62) + b.abs().clamp(max=2**62 - 1))
    return int(apart.max())


def _ordered(values: Tensor) -> Tensor:
    """Integers in the order of the floats, adjacent for adjacent floats; zero for both zeros."""
    bits = values.contiguous().view(_INTEGERS[values.dtype]).to(torch.int64)
    sign = torch.iinfo(_INTEGERS[values.dtype]).min
    return torch.where(bits < 0, sign - bits, bits)


def _identical(facts: _Facts, layer: Tensor, formula: Tensor) -> Verdict:
    n = layer.numel()
    message = f"identical, {n:,} of {n:,} elements" if n else _EMPTY
    return _verdict("identical", message, facts, n, note=_remark(facts, layer, formula))


def _remark(facts: _Facts, layer: Tensor, formula: Tensor) -> str | None:
    if facts.outside is not None:
        return "both lie further from the exact result than rounding in this dtype explains: a lower precision was used"
    if bool(((layer == 0) & (layer.signbit() != formula.signbit())).any()):
        return "0.0 and -0.0 count as equal"
    return "NaN counts as equal to NaN" if bool(layer.isnan().any()) else None


def _rounding(facts: _Facts, n: int, how_far: str, words: Words) -> Verdict:
    message = f"rounding only: {n - facts.equal:,} of {n:,} elements differ{how_far}"
    if math.isfinite(facts.max_abs_diff) and 0 < facts.bound < math.inf:
        message += f", {_percent(facts.units / facts.bound)} of {words.limit}"
    note = None if math.isfinite(facts.max_abs_diff) else "one of the two overflowed on the way, as either may"
    return _verdict("rounding", message, facts, n, note=note)


def _how_far(facts: _Facts, layer: Tensor, formula: Tensor) -> str:
    """In ULP of the less precise dtype, which is named where there are two."""
    if not math.isfinite(facts.max_abs_diff) and not facts.max_ulp_diff:  # only where one of them overflowed
        return ""
    if layer.dtype == formula.dtype:
        return _ulps(facts.max_ulp_diff)
    dtype = dtype_name(_less_precise(layer, formula))
    if not facts.max_ulp_diff:
        return f", none of them once both are rounded to {dtype}"
    return f"{_ulps(facts.max_ulp_diff)} of {dtype}"


def _ulps(most: int) -> str:
    return f", by at most {most:,} ULP"


def _less_precise(a: Tensor, b: Tensor) -> Tensor:
    return max((a, b), key=lambda it: UNIT_ROUNDOFF[it.dtype])


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.995 else "100 %"


def _different(
    facts: _Facts, layer: Tensor, formula: Tensor, within: Enclosure, words: Words, part: Part | None
) -> Verdict:
    assert facts.outside is not None
    n = layer.numel()
    count = int(facts.outside.sum())
    first = int(facts.outside.reshape(-1).nonzero()[0])
    message = (
        f"different: {_of(count, n)} outside {words.limit}, "
        f"first {_place(first, layer, part)}: {words.layer} {_at(layer, first)}, {words.formula} {_at(formula, first)}"
    )
    if words.has_exact:
        message += f", exact {_at(within.value, first)}"
    verdict = _verdict("different", message, facts, n, diagnosis=_diagnosis(facts, layer, formula, words, part))
    places = facts.outside.reshape(-1).nonzero()[:MAX_ELEMENTS, 0].tolist()
    return msgspec.structs.replace(verdict, outside=[it if part is None else part.place(it) for it in places])


def _of(count: int, n: int) -> str:
    if n == 1:
        return "the only element lies"
    return f"{count:,} of {n:,} elements {'lies' if count == 1 else 'lie'}"


def _diagnosis(facts: _Facts, layer: Tensor, formula: Tensor, words: Words, part: Part | None) -> Diagnosis:
    assert facts.outside is not None
    for name, value in ((words.layer, layer), (words.formula, formula)):
        wrong = (facts.outside.reshape(-1) & ~value.reshape(-1).isfinite()).nonzero()
        if len(wrong):
            first = int(wrong[0])
            return Diagnosis("nonfinite", f"The {name} gives {_at(value, first)} at {_place(first, layer, part)}.")
    return Diagnosis("unexplained", "No simple cause found.")


def _at(values: Tensor, flat: int) -> str:
    return f"{float(values.reshape(-1)[flat]):.9g}"


def _place(flat: int, layer: Tensor, part: Part | None) -> list[int]:
    """The index in the layer's own shape."""
    shape, place = (layer.shape, flat) if part is None else (part.shape, part.place(flat))
    return [int(i) for i in torch.unravel_index(torch.tensor(place), shape)]


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
        proof=True,
        diagnosis=diagnosis,
        note=note,
    )
