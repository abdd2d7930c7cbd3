"""The verdict where nothing is known of how two results were computed: by their dtype, size and values alone."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import torch
from torch import Tensor

from torchtwin.kernel.causes.changes import Case
from torchtwin.kernel.causes.diagnosis import diagnose
from torchtwin.kernel.proof.bounds import UNIT_ROUNDOFF
from torchtwin.kernel.proof.enclosure import Enclosure
from torchtwin.kernel.proof.judge import USUALLY, Words, judge
from torchtwin.protocol import Diagnosis, Verdict

_MAX_EXACT = 2**53
"""The largest integer of float64 that all smaller ones are below."""
USUAL = 128
"""Units of float32 or float64, of the largest element, that sums of usual length may be apart: sqrt(16384)."""
FILL, OUTLIER = 1e4, 1024
"""The least that such a number is, and how many times as large as all that differs."""


def around(value: Tensor, dtype: torch.dtype, beside: Tensor) -> Enclosure:
    """Where results of `dtype` that ought to equal `value` usually lie. No bound: nobody knows what was summed.

    A number that fills places of this and of `beside` alike, as a score that was masked, lends the others no tolerance.
    """
    unit, wide = UNIT_ROUNDOFF[dtype], UNIT_ROUNDOFF[torch.float32]
    reference = value.double()
    sizes = reference.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0).abs()
    scale = torch.full_like(reference, size_of(reference, beside))
    low = unit > wide
    limit = USUAL * (wide if low else unit) * scale + (4 * unit * sizes if low else 0.0)
    return Enclosure(
        value=reference,
        limit=limit,
        scale=scale,
        unit=unit,
        usual=2 * USUAL,
        largest=float(torch.finfo(dtype).max),
        flushes=False,
        finite_scale=lambda: scale,
        terms=1,
        squares=lambda: scale.square(),
    )


def size_of(a: Tensor, b: Tensor) -> float:
    """The largest element of two results of one shape, but for one large number that fills places of both."""
    sizes = [it.double().nan_to_num(nan=0.0, posinf=0.0, neginf=0.0).abs() for it in (a, b)]
    if not a.numel():
        return 0.0
    same = sizes[0] == sizes[1]
    largest = float(torch.maximum(*sizes).max())
    different = float(torch.where(same, 0.0, torch.maximum(*sizes)).max())
    is_fill = largest >= FILL and largest > OUTLIER * different and bool(same[sizes[0] == largest].all())
    rest = torch.where(sizes[0] == largest, 0.0, sizes[0]) if is_fill else sizes[0]
    return float(torch.maximum(rest, torch.where(same, 0.0, sizes[1])).max())


def judge_values(actual: Tensor, expected: Tensor, words: Words, dtype: torch.dtype) -> Verdict:
    """Floating point of any kind, both of one shape; `dtype` is the less precise of the two."""
    verdict = judge(actual, expected, around(expected, dtype, actual), replace(words, has_exact=False, limit=USUALLY))
    return msgspec.structs.replace(verdict, proof=False)


def judge_exact(actual: Tensor, expected: Tensor, words: Words) -> Verdict:
    """Integers and truth values, which do not round: equal or not."""
    same = _equal(actual, expected)
    count, n = int(same.sum()), actual.numel()
    is_same = count == n
    message = f"identical, {n:,} of {n:,} elements" if is_same else _differing(actual, expected, same, words)
    return Verdict(
        kind="identical" if is_same else "different",
        message=message,
        equal_elements=count,
        elements=n,
        coverage="all",
        diagnosis=None if is_same else diagnose_exact(actual, expected, words),
    )


def _equal(actual: Tensor, expected: Tensor) -> Tensor:
    """Torch itself does not compare unsigned integers of several bytes with others."""
    if actual.dtype == expected.dtype:
        return actual == expected
    a, b = actual.long(), expected.long()
    is_whole = [value >= 0 for of, value in ((actual, a), (expected, b)) if of.dtype == torch.uint64]
    return torch.stack([a == b, *is_whole]).all(0)


def _differing(actual: Tensor, expected: Tensor, same: Tensor, words: Words) -> str:
    first = [int(i) for i in torch.unravel_index((~same).reshape(-1).nonzero()[0, 0], same.shape)]
    at = tuple(first)
    return (
        f"different: {int((~same).sum()):,} of {same.numel():,} elements, first {first}: "
        f"{words.layer} {actual[at].item()}, {words.formula} {expected[at].item()}"
    )


def diagnose_exact(actual: Tensor, expected: Tensor, words: Words) -> Diagnosis:
    """Of numbers that do not round: what was done to them must give the very same."""
    reference = expected.double()
    if bool((torch.stack([reference, actual.double()]).abs() >= _MAX_EXACT).any()):
        return Diagnosis("unexplained", "No simple cause found.")
    exact = around(reference, torch.float64, reference)
    within = replace(exact, limit=torch.zeros_like(reference), scale=torch.ones_like(reference))
    case = Case(wrong=actual, right=within, wrong_name=words.layer, right_name=words.formula, is_exact=False)
    return diagnose(replace(case, wrong_as=words.layer_as))
