"""Why a result is not the right one: the first cause that, once taken back, makes it agree within the bound."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from torchtwin.kernel.proof.changes import MAX_LISTED, Case, changes
from torchtwin.kernel.proof.enclosure import Enclosure
from torchtwin.kernel.proof.hypotheses import Hypothesis
from torchtwin.protocol import Diagnosis, DiagnosisCode

_LOW: tuple[DiagnosisCode, ...] = ("lower_precision",)
MAX_ELEMENTS = 2**20
"""Elements of a result that is diagnosed beyond non-finite and partial."""


def diagnose(case: Case) -> Diagnosis:
    """The cause, or `unexplained` with the largest differences and where they are."""
    value = case.wrong.detach().double()
    if found := _nonfinite(case, value):
        return found
    if value.numel() <= MAX_ELEMENTS:
        for attempt in (_by_formula, _by_change, _by_precision, _by_both):
            if found := attempt(case, value):
                return found
    return _partial(case, value) or _unexplained(case, value)


def _agrees(value: Tensor, within: Enclosure) -> bool:
    return bool(within.holds(value).all())


def _nonfinite(case: Case, value: Tensor) -> Diagnosis | None:
    bad = ~case.right.holds(value) & ~(value.isfinite() & case.right.value.isfinite())
    if not bool(bad.any()):
        return None
    place = _first(bad)
    wrong, right = (_number(float(it[tuple(place)])) for it in (value, case.right.value))
    count = int(bad.sum())
    more = f" (and {count - 1:,} more)" if count > 1 else ""
    there = f"where the exact result is {right}" if case.is_exact else f"where {case.right_name} has {right}"
    return Diagnosis("nonfinite", f"{_capital(case.wrong_name)} has {wrong} at {place}{more}, {there}.")


def _number(value: float) -> str:
    return "NaN" if math.isnan(value) else f"{value:.6g}"


def _by_formula(case: Case, value: Tensor) -> Diagnosis | None:
    return _by_guess(case, value, [guess for guess in case.hypotheses if guess.causes != _LOW])


def _by_precision(case: Case, value: Tensor) -> Diagnosis | None:
    """Last, since its results lie far apart; and not where it would have spared nearly all elements."""
    outside, counted = int((~case.right.holds(value)).sum()), int((case.right.value != 0).sum())
    if 10 * outside < counted or outside == 1 < counted:
        return None
    return _by_guess(case, value, [guess for guess in case.hypotheses if guess.causes == _LOW])


def _by_guess(case: Case, value: Tensor, guesses: list[Hypothesis]) -> Diagnosis | None:
    for guess in guesses:
        if _agrees(value, guess.within):
            code, *also = guess.causes
            return Diagnosis(code, f"{_capital(_fault(case.wrong_name, guess))} {guess.advice}", also)
    return None


def _fault(name: str, guess: Hypothesis) -> str:
    if not guess.fault:
        return f"{name} is {guess.what}."
    return f"{name} {guess.fault}." if name == guess.what else f"{name} {guess.fault}: it is {guess.what}."


def _by_change(case: Case, value: Tensor) -> Diagnosis | None:
    for change in changes(case, value, case.right):
        if _agrees(value, change.within):
            words = change.words.format(wrong=case.wrong_name, right=case.right_name)
            return Diagnosis(change.code, f"{_capital(words)} {change.advice}".rstrip())
    return None


def _by_both(case: Case, value: Tensor) -> Diagnosis | None:
    """A wrong formula whose result was then changed."""
    for guess in (it for it in case.hypotheses if it.causes != _LOW):
        for change in changes(case, value, guess.within):
            if _agrees(value, change.within):
                words = change.words.format(wrong=case.wrong_name, right=guess.what)
                code, *also = guess.causes
                return Diagnosis(
                    code, f"{_capital(words)} {guess.advice} {change.advice}".rstrip(), [*also, change.code]
                )
    return None


def _partial(case: Case, value: Tensor) -> Diagnosis | None:
    """Only some elements, rows or columns are wrong."""
    outside = ~case.right.holds(value)
    count = int(outside.sum())
    if value.dim() == 0 or count == 0 or count == outside.numel():
        return None
    if count == 1:
        return Diagnosis("partial", f"Only the element at {_first(outside)} of {case.wrong_name} is wrong.")
    for dim in reversed(range(value.dim())):
        others = [d for d in range(value.dim()) if d != dim]
        wrong = outside.any(dim=others) if others else outside
        places = wrong.nonzero()[:, 0].tolist()
        if 2 * len(places) <= value.shape[dim]:
            what = "elements" if value.dim() == 1 else "columns" if dim == value.dim() - 1 else "rows"
            listed = _listed(places)
            one = what[:-1] if len(places) == 1 else what
            return Diagnosis(
                "partial", f"Only {one} {listed} of {value.shape[dim]:,} of {case.wrong_name} differ; the others agree."
            )
    return None


def _unexplained(case: Case, value: Tensor) -> Diagnosis:
    difference = torch.where(case.right.holds(value), 0.0, (value - case.right.value).abs()).nan_to_num(nan=torch.inf)
    if not difference.numel():
        return Diagnosis("unexplained", "No simple cause found.")
    flat = difference.reshape(-1)
    largest = flat.topk(min(3, flat.numel()))
    told = [
        f"{size:.3g} at {_index(int(at), value.shape)}"
        for size, at in zip(largest.values.tolist(), largest.indices.tolist(), strict=True)
        if size > 0
    ]
    zero = " It is zero everywhere." if bool((value == 0).all()) else ""
    return Diagnosis("unexplained", f"No simple cause found.{zero} Largest differences: {', '.join(told)}.")


def _listed(places: Iterable[int]) -> str:
    """`3`, `4 to 7`, `1, 5, 6`."""
    listed = list(places)
    if len(listed) > 2 and listed == list(range(listed[0], listed[-1] + 1)):
        return f"{listed[0]} to {listed[-1]}"
    return ", ".join(map(str, listed[:MAX_LISTED])) + (
        f" and {len(listed) - MAX_LISTED:,} more" if len(listed) > MAX_LISTED else ""
    )


def _first(mask: Tensor) -> list[int]:
    return _index(int(mask.reshape(-1).nonzero()[0]), mask.shape)


def _index(flat: int, shape: torch.Size) -> list[int]:
    return [int(i) for i in torch.unravel_index(torch.tensor(flat), shape)]


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
