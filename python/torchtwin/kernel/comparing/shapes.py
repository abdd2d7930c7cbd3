"""The verdict on two results of different shapes: what they would broadcast to, and what makes them one shape."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from torchtwin.kernel.comparing.sides import Side
from torchtwin.kernel.fitting import on
from torchtwin.protocol import Diagnosis, Verdict

Compare = Callable[[Side, Side], Verdict]


def other_shapes(a: Side, b: Side, compare: Compare) -> Verdict:
    """Always `different`. Where another shape of one side makes them agree, that is the advice."""
    shape_a, shape_b = tuple(a.value.shape), tuple(b.value.shape)
    met = f"{_text(shape_a)} met {_text(shape_b)}"
    meeting = _meeting(shape_a, shape_b)
    diagnosis = _transposed(a, b, compare) or _reshaped(a, b, compare)
    advice = diagnosis or f"{a.name} has {a.value.numel():,} elements, {b.name} {b.value.numel():,}."
    return Verdict(
        kind="different",
        message=f"another shape: {a.name} is {_text(shape_a)}, {b.name} {_text(shape_b)}",
        elements=a.value.numel(),
        coverage="all",
        diagnosis=Diagnosis("shape", f"{met}: {meeting}. {advice}"),
    )


def _meeting(a: tuple[int, ...], b: tuple[int, ...]) -> str:
    try:
        both = tuple(torch.broadcast_shapes(a, b))  # type: ignore[no-untyped-call]
    except RuntimeError:
        return "the two don't broadcast"
    if both in (a, b):
        return f"`==` and `-` broadcast the smaller to {_text(both)}"
    return f"`==` and `-` broadcast both to {_text(both)}, every element against every other"


def _transposed(a: Side, b: Side, compare: Compare) -> str | None:
    if a.value.dim() != 2 or a.value.T.shape != b.value.shape or 1 in a.value.shape:
        return None
    code = f"{on(b.words)}.T"
    turned = compare(a, replace(_as(b, b.value.T), words=code))
    if _agree(turned):
        return f"Transposed they agree: write `{code}`."
    cause = turned.diagnosis
    return cause.message if cause is not None and cause.code not in ("partial", "unexplained") else None


def _reshaped(a: Side, b: Side, compare: Compare) -> str | None:
    if a.value.numel() != b.value.numel():
        return None
    code = f"`{on(b.words)}.reshape({', '.join(map(str, a.value.shape))})`"
    verdict = compare(a, _as(b, b.value.reshape(a.value.shape)))
    if _agree(verdict):
        return f"As for the values, they are {verdict.message}. Write {code}."
    return f"Of one shape, as {code}, they are {verdict.message}."


def _as(side: Side, value: Tensor) -> Side:
    """Another shape of the side, which is not traced by itself."""
    return replace(side, value=value, original=value)


def _agree(verdict: Verdict) -> bool:
    return verdict.kind in ("identical", "rounding")


def _text(shape: tuple[int, ...]) -> str:
    """As Python writes it: `(4,)`."""
    return str(shape)
