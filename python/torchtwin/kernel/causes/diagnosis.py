"""Why a result is not the right one: the first cause that, once taken back, makes it agree within the bound."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable

import torch
from torch import Tensor

from torchtwin.kernel.causes.changes import MAX_LISTED, Case, Change, changes
from torchtwin.kernel.causes.hypotheses import Hypothesis
from torchtwin.kernel.proof.enclosure import Enclosure
from torchtwin.kernel.words import is_code, written
from torchtwin.protocol import Diagnosis, DiagnosisCode

_LOW: tuple[DiagnosisCode, ...] = ("lower_precision",)
MAX_ELEMENTS = 2**20
"""Elements of a result that is diagnosed beyond non-finite and partial."""
NEARER = 0.5
"""Times the distance from the right result: how near a result must be to what a lower precision gives."""
FAR_NEARER = 1 / 8
"""The same for results that rounding could explain as well: so near that it hardly does."""
FEW = 8
"""Elements, which may be near by chance: then twice as near."""


def diagnose(case: Case) -> Diagnosis:
    """The cause, or `unexplained` with the largest differences and where they are."""
    value = case.wrong.detach().double()
    if found := _nonfinite(case, value):
        return found
    attempts = (_by_sign, _by_formula, _by_change, _by_precision, _by_both)
    for attempt in attempts if value.numel() <= MAX_ELEMENTS else (_by_change,):
        if found := attempt(case, value):
            return found
    return _partial(case, value) or _unexplained(case, value)


def nearer_formula(case: Case) -> Diagnosis | None:
    """The wrong formula that a result lies far nearer to than to the right one, whatever the bound lets pass."""
    value = case.wrong.detach().double()
    if value.numel() < FEW or value.numel() > MAX_ELEMENTS or not bool(value.isfinite().all()):
        return None
    for guess in case.hypotheses:
        if guess.causes != _LOW and _share(value, guess.within, case.right) <= FAR_NEARER:
            return _told(case, guess)
    return None


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


def _by_sign(case: Case, value: Tensor) -> Diagnosis | None:
    """The first of the changes, before the formulas: where the bias is all that counts, its sign is the result's."""
    return _by_first(case, value, itertools.islice(changes(case, value, case.right), 1))


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
        if _agrees(value, guess.within) and _is_shown(value, guess, case.right):
            return _told(case, guess)
    return None


def _is_shown(value: Tensor, guess: Hypothesis, right: Enclosure) -> bool:
    return _is_nearer(value, guess.within, right) if guess.shows is None else guess.shows(value)


def _told(case: Case, guess: Hypothesis) -> Diagnosis:
    code, *also = guess.causes
    advice = _advice(case, guess.undo and "{}" + guess.undo, guess.advice)
    return Diagnosis(code, f"{_capital(_fault(case.wrong_name, guess))} {advice}", also)


def _is_nearer(value: Tensor, guess: Enclosure, right: Enclosure) -> bool:
    """Whether it lies nearer to what the guess gives than to the right result, each element by its size."""
    share = NEARER if value.numel() >= FEW else NEARER / 2
    return _share(value, guess, right) <= share


def _share(value: Tensor, guess: Enclosure, right: Enclosure) -> float:
    """Distance from what the guess gives, as a share of that from the right result, each element by its size."""
    sizes = torch.where(right.scale > 0, right.scale, torch.inf)
    apart, error = (value - guess.value) / sizes, (value - right.value) / sizes
    distance = float(error.norm())
    # Where the guess overflows and the value does not, it is infinitely far.
    return float(apart.norm()) / distance if distance else math.inf


def _advice(case: Case | None, undo: str, advice: str) -> str:
    """What to write in place of the wrong result, in the user's words for it; in other words where it has none."""
    if not undo:
        return advice
    method = undo.replace("{}", "", 1)
    if case is not None and is_code(case.wrong_name):
        code = written(case.wrong_name.strip("`"), case.wrong_as, method)
        return f"Make {case.wrong_name} a tensor, and write `{method}`." if code is None else f"Write `{code}`."
    return advice or f"Write `{method}`."


def _fault(name: str, guess: Hypothesis) -> str:
    if not guess.fault:
        return f"{name} is {guess.what}."
    return f"{name} {guess.fault}." if name == guess.what else f"{name} {guess.fault}: it is {guess.what}."


def _by_change(case: Case, value: Tensor) -> Diagnosis | None:
    return _by_first(case, value, changes(case, value, case.right))


def _by_first(case: Case, value: Tensor, tried: Iterable[Change]) -> Diagnosis | None:
    for change in tried:
        if _agrees(value, change.within):
            words = change.words.format(wrong=case.wrong_name, right=case.right_name)
            advice = _advice(case, change.undo, change.advice)
            return Diagnosis(change.code, f"{_capital(words)} {advice}".rstrip())
    return None


def _by_both(case: Case, value: Tensor) -> Diagnosis | None:
    """A wrong formula whose result was then changed."""
    for guess in (it for it in case.hypotheses if it.causes != _LOW and not it.is_rare):
        for change in changes(case, value, guess.within):
            if _agrees(value, change.within) and _is_nearer(value, change.within, case.right):
                words = change.words.format(wrong=case.wrong_name, right=guess.what)
                code, *also = guess.causes
                # A formula to be written mends the change as well.
                advice = (
                    guess.advice
                    if guess.advice.startswith("Write `")
                    else f"{guess.advice} {_advice(None, change.undo, change.advice)}"
                )
                also = [*also, *([change.code] if change.code not in guess.causes else [])]
                return Diagnosis(code, f"{_capital(words)} {advice}".rstrip(), also)
    return None


def _partial(case: Case, value: Tensor) -> Diagnosis | None:
    """Only some elements, rows or columns are wrong; the others lie where the verdict says that they do."""
    outside = ~(case.agreed or case.right).holds(value)
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
            which = f"{what[:-1]} {listed}" if len(places) == 1 else f"{what} {listed}"
            verb, rest = "differs" if len(places) == 1 else "differ", "the others agree"
            of = f"of {value.shape[dim]:,} of {case.wrong_name}"
            return Diagnosis("partial", f"Only {which} {of} {verb}; {rest}.")
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
