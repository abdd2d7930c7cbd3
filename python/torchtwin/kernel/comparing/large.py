"""Results of products too large to compute anew for a question: only rows that they touch, or a sample of all rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec
import torch
from torch import Tensor

from torchtwin.kernel.comparing.origin import Origin
from torchtwin.kernel.comparing.pair import Pair
from torchtwin.kernel.proof.bounds import arithmetic
from torchtwin.kernel.proof.judge import Part
from torchtwin.kernel.proof.probe import Sample, covered, sampled
from torchtwin.kernel.proof.product import Product
from torchtwin.protocol import Diagnosis, Verdict

APART = 8
"""Rows in which the two results differ most, that are computed exactly."""


@dataclass(frozen=True)
class Narrowed:
    """The same question about fewer rows."""

    pair: Pair
    origin: Origin
    sample: Sample | None
    """Of rows that stand for the others; null where the others do not matter."""


def narrowed(pair: Pair, origin: Origin) -> Narrowed | None:
    """Null where the product is small, or its elements stand in another order."""
    whole = origin.large
    if whole is None:
        return None
    if pair.actual.value.numel() == whole.shape.numel():
        return _sample(pair, origin) if origin.is_in_order else None
    touched = origin.pick(torch.arange(whole.shape.numel()).reshape(whole.shape))
    rows, place = torch.unique(touched // whole.shape[-1], return_inverse=True)
    if 2 * len(rows) > whole.shape[:-1].numel():
        return None
    at = place * whole.shape[-1] + touched % whole.shape[-1]
    return Narrowed(pair, replace(whole.of_rows(rows), pick=lambda t: t.reshape(-1)[at]), None)


def _sample(pair: Pair, origin: Origin) -> Narrowed:
    assert origin.large is not None
    features = origin.large.shape[-1]
    values = [side.value.reshape(-1, features) for side in (pair.actual, pair.expected)]
    apart = _furthest_apart(origin.large.product, *values)
    sample = sampled(origin.large.product, values, arithmetic(pair.dtype, values[0].device), apart)
    fewer = Pair(
        replace(pair.actual, value=values[0][sample.rows]),
        replace(pair.expected, value=values[1][sample.rows]),
        Part.of_rows(sample.rows, features, pair.actual.value.shape),
    )
    return Narrowed(fewer, origin.large.of_rows(sample.rows), sample)


def _furthest_apart(product: Product, a: Tensor, b: Tensor) -> Tensor:
    """The rows in which two results differ most, beside the size of what the row was computed from."""
    most = (a.double() - b.double()).abs().amax(1)
    size = torch.linalg.vector_norm(product.left, dim=1, dtype=torch.float64)
    share = torch.where(most == 0, 0.0, most / size).nan_to_num(nan=torch.inf)
    rows = share.topk(min(APART, len(share))).indices
    return rows[share[rows] > 0]


def widened(verdict: Verdict, narrowed: Narrowed, pair: Pair, wrong: str) -> Verdict:
    """The verdict on fewer rows of a pair as one on all."""
    sample = narrowed.sample
    if sample is None or verdict.kind == "unchecked":
        return verdict
    if verdict.kind != "different":
        return covered(_on_all(verdict, pair), sample, pair.actual.value.numel())
    diagnosis = verdict.diagnosis
    if diagnosis is not None and diagnosis.code in ("partial", "unexplained"):
        diagnosis = _in_a_sample(verdict, sample, pair, wrong)
    coverage = f"rows {len(sample.rows)} of {sample.total}"
    return msgspec.structs.replace(verdict, diagnosis=diagnosis, coverage=coverage)


def _on_all(verdict: Verdict, pair: Pair) -> Verdict:
    """Only what is equal in all elements is identical, which is known without computing anything."""
    a, b = pair.actual.value, pair.expected.value
    n, equal = a.numel(), int(((a == b) | (a.isnan() & b.isnan())).sum())
    if equal == n:
        message = f"identical, {n:,} of {n:,} elements"
    else:
        message = f"rounding only: {n - equal:,} of {n:,} elements differ"
    kind = "identical" if equal == n else "rounding"
    return msgspec.structs.replace(verdict, kind=kind, message=message, equal_elements=equal, elements=n)


def _in_a_sample(verdict: Verdict, sample: Sample, pair: Pair, wrong: str) -> Diagnosis:
    a, b = (side.value.reshape(sample.total, -1) for side in (pair.actual, pair.expected))
    differs = (a[sample.tripped] != b[sample.tripped]) & ~(a[sample.tripped].isnan() & b[sample.tripped].isnan())
    outside = {place // a.shape[1] for place in verdict.outside or ()}  # of the first elements
    wrong_rows = outside | set(sample.tripped[differs.any(1)].tolist())
    if sample.left_out or 2 * len(wrong_rows) > sample.total:
        return Diagnosis("unexplained", f"No simple cause found in the {len(sample.rows):,} rows that were computed.")
    subject, verb = _rows(sorted(wrong_rows))
    of = f"the {sample.total:,} of {wrong}"
    return Diagnosis("partial", f"Only {subject} of {of} {verb}, as far as a probe over all rows tells.")


def _rows(numbers: Sequence[int]) -> tuple[str, str]:
    """As the subject of a sentence, and its verb."""
    shown = ", ".join(map(str, numbers[:8]))
    more = f" and {len(numbers) - 8:,} more" if len(numbers) > 8 else ""
    return (f"row {shown}", "differs") if len(numbers) == 1 else (f"rows {shown}{more}", "differ")
