"""Results of products too large to compute anew for a question: only rows that they touch, or a sample of all rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec
import torch
from torch import Tensor

from torchtwin.kernel.comparing.origin import Origin
from torchtwin.kernel.comparing.pair import Pair
from torchtwin.kernel.comparing.sides import Side
from torchtwin.kernel.proof.bounds import arithmetic
from torchtwin.kernel.proof.judge import Rows
from torchtwin.kernel.proof.probe import Sample, covered, sampled
from torchtwin.protocol import Diagnosis, Verdict


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
    values = [pair.actual.value, pair.expected.value]
    sample = sampled(origin.large.product, values, arithmetic(pair.dtype, values[0].device))
    shape = pair.actual.value.shape
    actual, expected = (_rows_of(side, sample.rows, origin.large.shape[-1]) for side in (pair.actual, pair.expected))
    fewer = Pair(actual, expected, Rows(sample.rows, shape))
    return Narrowed(fewer, origin.large.of_rows(sample.rows), sample)


def _rows_of(side: Side, rows: Tensor, features: int) -> Side:
    return replace(side, value=side.value.reshape(-1, features)[rows])


def widened(verdict: Verdict, narrowed: Narrowed, wrong: str, elements: int) -> Verdict:
    """The verdict on fewer rows as one on all."""
    sample = narrowed.sample
    if sample is None or verdict.kind == "unchecked":
        return verdict
    if verdict.kind != "different":
        return covered(verdict, sample, elements)
    diagnosis = verdict.diagnosis
    if diagnosis is not None and diagnosis.code in ("partial", "unexplained"):
        diagnosis = _in_a_sample(sample, wrong)
    coverage = f"rows {len(sample.rows)} of {sample.total}"
    return msgspec.structs.replace(verdict, diagnosis=diagnosis, coverage=coverage)


def _in_a_sample(sample: Sample, wrong: str) -> Diagnosis:
    if sample.left_out or 2 * len(sample.tripped) > sample.total:
        return Diagnosis("unexplained", f"No simple cause found in the {len(sample.rows):,} rows that were computed.")
    rows = listed(sample.tripped.tolist())
    return Diagnosis("partial", f"Only {rows} of {sample.total:,} of {wrong} tripped a probe over all rows.")


def listed(rows: Sequence[int]) -> str:
    shown = ", ".join(map(str, rows[:8]))
    more = f" and {len(rows) - 8:,} more" if len(rows) > 8 else ""
    return f"row{'' if len(rows) == 1 else 's'} {shown}{more}"
