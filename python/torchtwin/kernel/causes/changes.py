"""What may have been done to a right result: its sign, a factor, an order, a ReLU. Each with where it then lies."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from torchtwin.kernel.causes.digits import digits_of, rounded_to
from torchtwin.kernel.causes.hypotheses import Hypothesis
from torchtwin.kernel.proof.enclosure import Enclosure
from torchtwin.kernel.words import AS_IT_IS
from torchtwin.protocol import DiagnosisCode

MAX_LISTED = 8
MAX_ORDERED = 2**20
"""Elements of a result that is looked at for another order."""
MAX_PAIRS = 2**24
"""Elements that are compared to find out how slices were reordered."""
MAX_COUNTED = 10**5
"""Of a variance: what it is divided by."""
NEAR_ONE = 1e-3
"""A factor that is nearer to 1 is no cause, unless it is known where such a one comes from."""
_GRAD = ".grad`"
_MORE_DIGITS = "All its digits are right; give more of them to have more compared."


@dataclass(frozen=True)
class Case:
    """A wrong result, and the right one's place. Both of one shape."""

    wrong: Tensor
    """As computed, any dtype."""
    right: Enclosure
    wrong_name: str
    """In backticks where it is code: `` `hand` ``."""
    right_name: str
    of: Literal["output", "gradient"] = "output"
    sums: tuple[tuple[int, str], ...] = ()
    """Of a gradient: what a mean divides by, each number with the name of what is counted."""
    hypotheses: tuple[Hypothesis, ...] = ()
    is_exact: bool = True
    """Whether the right one's place is that of the exact result, and not of another computed one."""
    wrong_as: str = AS_IT_IS
    """Code that makes a tensor of the words for the wrong one, as `torch.tensor({})` of a list's; empty for none."""
    agreed: Enclosure | None = None
    """Where elements are said to agree, if that is narrower than the right one's place."""


@dataclass(frozen=True)
class Change:
    """What may have been done to a right result. `at` says where the changed one lies."""

    code: DiagnosisCode
    within: Enclosure
    words: str
    advice: str = ""
    undo: str = ""
    """What gives the right result, `{}` being the wrong one: `{}.T`. It is told in place of the advice."""


def changes(case: Case, value: Tensor, right: Enclosure) -> Iterator[Change]:
    """The sign comes first."""
    if right.value.numel() == 0 or not bool(right.value.isfinite().all()):
        return
    negated = replace(right, value=-right.value)
    yield Change("negated", negated, "{wrong} is {right} with the other sign.", "Change the sign.")
    yield from _rounded(case, value, right)
    yield from _scaled(case, value, right)
    if case.of == "output":
        yield from _rectified(value, right)
    yield from _permuted(case, value, right)


def _rounded(case: Case, value: Tensor, right: Enclosure) -> Iterator[Change]:
    """To few digits, as what is typed from paper; or to a dtype of lower precision, and back."""
    outside, counted = int((~right.holds(value)).sum()), int((right.value != 0).sum())
    if 10 * outside < counted or outside == 1 < counted:
        return
    for found in digits_of(value, case.wrong.dtype):
        if found.says_something_of(right.value):
            place = replace(right, limit=right.limit + found.half_step)
            yield Change("lower_precision", place, f"{{wrong}} is {{right}} rounded to {found.words}.", _MORE_DIGITS)
    for found in digits_of(right.value, right.unit) if not case.is_exact else ():
        if found.says_something_of(value):
            place = replace(right, limit=right.limit + found.half_step)
            yield Change("lower_precision", place, f"{{right}} is {{wrong}} rounded to {found.words}.", _MORE_DIGITS)
    own = str(case.wrong.dtype).removeprefix("torch.")
    for found in rounded_to(value, case.wrong.dtype):
        if found.says_something_of(right.value):
            place = replace(right, limit=right.limit + found.half_step)
            words = f"{{wrong}} is {{right}} rounded to {found.words}."
            yield Change("lower_precision", place, words, f"Keep it in {own}.")


def _rectified(value: Tensor, right: Enclosure) -> Iterator[Change]:
    """With a ReLU that the right one has not, or without one that it has. Some elements are positive in both."""
    if not bool((right.value > right.limit).any()):
        return
    after = replace(right, value=right.value.clamp(min=0))
    yield Change("partial", after, "{wrong} is {right} after a ReLU.", "Leave the ReLU out.")
    if bool((right.value >= -right.limit).all()):
        off = (value < 0) & (right.value.abs() <= right.limit)
        before = replace(right, value=torch.where(off, value, right.value))
        yield Change("partial", before, "{wrong} is {right} before its ReLU.", "Apply the ReLU.", "{}.relu()")


def _scaled(case: Case, value: Tensor, right: Enclosure) -> Iterator[Change]:
    fitted = _fitted(value, right.value)
    if abs(fitted - 1) < NEAR_ONE and _of_variance(fitted, case, right.unit) is None:
        return
    # Rounding alone may look like a factor, of values as small as the rounding, and near 1.
    telling = (right.value.abs() > 2 * right.limit) & (abs(fitted - 1) * right.value.abs() > 2 * right.limit)
    count = int(telling.sum())
    if count == 0 or 2 * count < int((right.value.abs() > right.limit).sum()):
        return
    factor = _whole(fitted, right.unit)
    if factor is not None and (count > 2 or _is_alone(factor, right.unit)):
        yield _times(factor, 4 * right.unit, case, right)
    if count > 2 and fitted != 0:  # of one or two numbers each is a multiple of the other
        yield _times(fitted, 8 * right.unit, case, right)


def _fitted(value: Tensor, right: Tensor) -> float:
    """The factor of least squares; 0 where there is none. Sizes are taken out, whose squares may not be numbers."""
    size = float(right.abs().max())
    if size == 0:
        return 0.0
    unit = right / size
    found = float((value / size * unit).sum() / unit.square().sum())
    return found if math.isfinite(found) else 0.0


def _times(factor: float, error: float, case: Case, right: Enclosure) -> Change:
    """`error`: how far the factor may be off, and the multiplication round."""
    size = abs(factor)
    within = replace(
        right,
        value=factor * right.value,
        limit=size * right.limit + error * size * (right.value.abs() + right.limit) + _smallest(case.wrong.dtype),
        scale=size * right.scale,
    )
    wrong, right_name = "{wrong}", "{right}"
    if _is_other_way_round(factor, case):
        factor, wrong, right_name = 1 / factor, right_name, wrong
        case = replace(case, wrong_name=case.right_name, right_name=case.wrong_name)
    meaning, advice = _meaning(factor, case, right.unit)
    return Change("scaled", within, f"{wrong} is {number_of(factor)} times {right_name}{meaning}.", advice)


def _is_other_way_round(factor: float, case: Case) -> bool:
    """Whether the other one has the factor: what is accumulated, scaled or clipped is a `.grad`, and no formula."""
    if case.is_exact or case.of != "gradient" or factor <= 0:
        return False
    if case.right_name.endswith(_GRAD) != case.wrong_name.endswith(_GRAD):
        return case.right_name.endswith(_GRAD)
    return factor > 1 and factor != round(factor)  # clipped


def _smallest(dtype: torch.dtype) -> float:
    """The smallest subnormal, which a product that underflows is off by."""
    return float(torch.finfo(dtype).smallest_normal * torch.finfo(dtype).eps) if dtype.is_floating_point else 0.0


def _whole(fitted: float, unit: float) -> float | None:
    """A whole number, or one over a whole number, that the fitted factor is to within its error."""
    near = _fit(unit)
    inverse = round(1 / fitted) if fitted else 0
    for candidate in (float(round(fitted)), 1 / inverse if inverse else 0.0):
        if candidate not in (0.0, 1.0) and abs(fitted - candidate) <= near * abs(candidate):
            return candidate
    return None


def _fit(unit: float) -> float:
    """How far a fitted factor may be off, of itself."""
    return max(1e-6, 8 * unit)


def _is_alone(factor: float, unit: float) -> bool:
    """Whether no other whole number is nearly as near: in bfloat16 any factor is near 1/17 or 1/18."""
    return 4 * _fit(unit) * max(abs(factor), 1 / abs(factor)) < 1


def _meaning(factor: float, case: Case, unit: float) -> tuple[str, str]:
    """What such a factor usually comes from, and what to do."""
    by = f"Divide by {number_of(factor)}." if abs(factor) >= 1 else f"Multiply by {number_of(1 / factor)}."
    if (meaning := _of_variance(factor, case, unit)) is not None:
        return meaning, "Divide by the same number in both: `torch.var` divides by n where it is given `correction=0`."
    for n, what in case.sums if case.of == "gradient" else ():
        if n > 1 and math.isclose(factor, 1 / n, rel_tol=1e-6):
            return f": a mean over {what} ({n:,}) in place of a sum", by
        if n > 1 and math.isclose(factor, n, rel_tol=1e-6):
            return f": a sum over {what} ({n:,}) in place of a mean", by
    is_whole = factor == round(factor)
    if case.of == "gradient" and is_whole and factor >= 256 and math.log2(factor) % 1 == 0:
        return ": a loss scale that was not taken back", by
    if case.wrong_name.endswith(_GRAD) and is_whole and factor > 1:
        n = int(factor)
        advice = (
            f"Call `zero_grad()` before each backward; or, where {n} parts of a batch add up, divide each loss by {n}."
        )
        return f": {n} backward passes accumulated", advice
    if case.of == "gradient" and 0 < factor < 1 and _whole(factor, unit) is None:
        return ": it was clipped, as `clip_grad_norm_` does", "Compare what it was before that."
    if case.of == "gradient" and not case.is_exact and 0 < factor < 1:
        times = number_of(1 / factor)
        other = f"or divide {case.right_name} by {times}, where it holds {times} backward passes."
        return "", f"Multiply by {times}; {other}"
    return "", by


def _of_variance(factor: float, case: Case, unit: float) -> str | None:
    """Where the factor, or its inverse, is n / (n - 1) or the root of it, of a whole n that the fit can tell."""
    if case.is_exact or case.of != "output" or factor <= 0 or factor == 1:
        return None
    above = max(factor, 1 / factor)
    for power, root in ((1, ""), (2, "the root of ")):
        exact = above**power / (above**power - 1)
        n = round(exact)
        if 4 <= n <= MAX_COUNTED and abs(exact - n) <= 1e-3 + n * n * unit < 0.25:
            ratio = "n / (n - 1)" if factor > 1 else "(n - 1) / n"
            return f": {root}{ratio} with n = {n:,}, as where one variance is divided by n - 1 in place of n"
    return None


def _permuted(case: Case, value: Tensor, right: Enclosure) -> Iterator[Change]:
    if value.dim() == 0 or not 2 <= value.numel() <= MAX_ORDERED or _is_constant(right.value):
        return
    yield from _reordered(case, value, right)
    for dim in range(value.dim()):
        order = _order(value, right, dim)
        if order is not None:
            index = torch.tensor(order, device=value.device)
            moved = right.at(lambda t, d=dim, i=index: t.index_select(d, i))  # type: ignore[misc]
            yield Change("permuted", moved, *_order_words(order, dim, value.dim()))


def _reordered(case: Case, value: Tensor, right: Enclosure) -> Iterator[Change]:
    """The same elements with the dimensions in another order, or written into the shape in such an order."""
    shape = list(value.shape)
    if not 2 <= value.dim() <= 4:
        return
    for dims in itertools.permutations(range(value.dim())):
        if list(dims) == sorted(dims):
            continue
        back = [dims.index(d) for d in range(value.dim())]
        between, before = [shape[d] for d in dims], [shape[d] for d in back]
        moved = right.at(lambda t, d=dims: t.permute(d).reshape(shape))  # type: ignore[misc]
        if between == shape:
            yield Change("permuted", moved, _dims_words(list(dims)), undo="{}" + in_order(back))
            continue
        words = "{wrong} has the elements of {right} reshaped in the wrong order."
        yield Change("permuted", moved, words, undo="{}" + _reshape(between) + in_order(back))
        turned = right.at(lambda t, d=dims, s=before: t.reshape(s).permute(d))  # type: ignore[misc]
        yield Change("permuted", turned, words, undo="{}" + in_order(back) + _reshape(shape))


def _dims_words(dims: list[int]) -> str:
    if len(dims) == 2:
        return "{wrong} is {right} transposed."
    swapped = [at for at, d in enumerate(dims) if at != d]
    if len(swapped) == 2:
        return f"{{wrong}} is {{right}} with dimensions {swapped[0]} and {swapped[1]} swapped."
    return f"{{wrong}} is {{right}} with its dimensions in the order {dims}."


def in_order(dims: list[int]) -> str:
    """The method that puts dimensions into this order: `.T`, `.transpose(0, 1)`, `.permute(2, 0, 1)`."""
    swapped = [at for at, d in enumerate(dims) if at != d]
    if len(dims) == 2:
        return ".T"
    return f".transpose({swapped[0]}, {swapped[1]})" if len(swapped) == 2 else f".permute({_listed(dims)})"


def _reshape(shape: list[int]) -> str:
    return f".reshape({_listed(shape)})"


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))


def _order(value: Tensor, right: Enclosure, dim: int) -> list[int] | None:
    """The order of slices along `dim` that leads from `right` to `value`; null if there is none but the same."""
    n = value.shape[dim]
    if n < 2:
        return None
    a, b, limit = (t.movedim(dim, 0).reshape(n, -1) for t in (value, right.value, right.limit))
    order = _by_projection(a, b)
    wrong = ~((a - b[order]).abs() <= limit[order]).all(1)
    if bool(wrong.any()):  # near ties, which rounding has put into another order
        sources = order[wrong]
        if len(sources) ** 2 * a.shape[1] > MAX_PAIRS:
            return None
        pairs = _by_pairs(a[wrong], b[sources], limit[sources])
        if pairs is None:
            return None
        order[wrong] = sources[pairs]
    found: list[int] = order.tolist()
    return None if found == list(range(n)) else found


def _by_projection(a: Tensor, b: Tensor) -> Tensor:
    """Slices that differ more than rounding have projections in the same order."""
    weights = torch.linspace(1.0, 2.0, a.shape[1], dtype=torch.float64, device=a.device) ** 3
    ranks, sources = (a @ weights).argsort(stable=True), (b @ weights).argsort(stable=True)
    order = torch.empty_like(sources)
    order[ranks] = sources
    return order


def _by_pairs(a: Tensor, b: Tensor, limit: Tensor) -> Tensor | None:
    """Every slice with every other; those with the fewest candidates choose first."""
    fits = torch.stack([((row - b).abs() <= limit).all(1) for row in a])
    order, free = [-1] * len(a), torch.ones(len(a), dtype=torch.bool, device=a.device)
    for at in fits.sum(1).argsort(stable=True).tolist():
        candidates = (fits[at] & free).nonzero()
        if not len(candidates):
            return None
        source = at if bool(fits[at, at] & free[at]) else int(candidates[0])
        order[at], free[source] = source, False
    return torch.tensor(order, device=a.device)


def _order_words(order: list[int], dim: int, dims: int) -> tuple[str, str, str]:
    """What was done to the order; no advice but what undoes it."""
    n = len(order)
    what = (
        "elements"
        if dims == 1
        else ("rows" if dim == dims - 2 else "columns" if dim == dims - 1 else f"slices along {dim}")
    )
    if order == list(range(n))[::-1]:
        return f"The {what} of {{wrong}} are those of {{right}} in reverse.", "", f"{{}}.flip({dim})"
    shift = (0 - order[0]) % n
    if all(order[i] == (i - shift) % n for i in range(n)):
        return (
            f"The {what} of {{wrong}} are those of {{right}}, rolled by {shift}.",
            "",
            f"{{}}.roll({-shift}, {dim})",
        )
    listed = _listed(order[:MAX_LISTED]) + (", ..." if n > MAX_LISTED else "")
    moved = sum(at != source for at, source in enumerate(order))
    back = f"{{}}[{':, ' * dim}[{_listed([order.index(i) for i in range(n)])}]]" if n <= MAX_LISTED else ""
    return f"{moved:,} of {n:,} {what} of {{wrong}} are those of {{right}} in another order: [{listed}].", "", back


def _is_constant(values: Tensor) -> bool:
    return bool((values == values.reshape(-1)[0]).all())


def number_of(value: float) -> str:
    return f"{value:.6g}"
