"""The verdict where one side is known and the other's operands may have been rounded otherwise: by closeness.

There is no bound then. Close to the exact result is `rounding`, further off but still close is `unchecked`, and what
is `different` has a cause or lies further away than rounding is ever seen to bring a result. None of it is a proof.
"""

from __future__ import annotations

from dataclasses import replace

import msgspec
import torch

from torchtwin.kernel.causes.changes import Case
from torchtwin.kernel.causes.diagnosis import diagnose
from torchtwin.kernel.comparing import values
from torchtwin.kernel.comparing.pair import Pair
from torchtwin.kernel.proof.bounds import UNIT_ROUNDOFF
from torchtwin.kernel.proof.enclosure import Enclosure
from torchtwin.kernel.proof.judge import USUALLY, unchecked
from torchtwin.protocol import Diagnosis, Verdict

CLOSE, CLOSE_ROUNDINGS = 0.02, 64
"""Of the largest element, or in unit roundoffs of it, that two honest results may be apart, by experience; no bound."""
MIN_ELEMENTS = 8
"""Of results that are close: what rounding did to fewer may look like anything."""
FORMULAS = {"missing_transpose", "missing_bias", "bias_twice", "stale_operand"}
CERTAIN = {*FORMULAS, "negated", "permuted"}
"""Causes that rounding can't look like, unless of results that are close."""


def judge_by_closeness(pair: Pair, case: Case, doubt: str, is_faint: bool) -> Verdict:
    """`case` asks what is wrong with the side in doubt, beside where the known one lies; `doubt` is why.

    Results that are faint may be little else than rounding: then being far apart says nothing.
    """
    usual = _nearly(case, values.around(case.right.value, pair.dtype, case.wrong))
    judged = pair.judge(usual.right, USUALLY)
    verdict = msgspec.structs.replace(judged, proof=False)
    if verdict.kind != "different":
        return verdict
    diagnosis = diagnose(usual)
    is_clear = not diagnosis.also and pair.actual.value.numel() >= MIN_ELEMENTS
    if diagnosis.code not in FORMULAS or not is_clear:
        if (close := undecided(pair, is_faint)) is not None:
            return unchecked(f"{close}; {doubt}")
        wider = _nearly(case, _close_to(case.right, pair))
        diagnosis = diagnose(replace(wider, agreed=usual.right))
    return msgspec.structs.replace(verdict, diagnosis=diagnosis)


def is_certain(diagnosis: Diagnosis, pair: Pair) -> bool:
    """Whether a cause can't be rounding's doing."""
    is_factor = diagnosis.code == "scaled" and pair.actual.value.numel() >= MIN_ELEMENTS and not are_close(pair)
    return diagnosis.code in CERTAIN or is_factor


def undecided(pair: Pair, is_faint: bool) -> str | None:
    """Why a difference without a cause says nothing, if it does not."""
    names = f"{pair.actual.name} and {pair.expected.name}"
    if are_close(pair):
        return f"{names} are close, but further apart than the rounding of one layer"
    return f"{names} are so small that they may be little else than rounding" if is_faint else None


def are_close(pair: Pair, share: float = CLOSE) -> bool:
    """To within some per cent of the largest element."""
    a, b = pair.actual.value.double(), pair.expected.value.double()
    apart = (a - b).abs() <= _close(pair.dtype, share) * values.size_of(a, b)
    return bool((apart | (a == b) | (a.isnan() & b.isnan())).all())


def _close(dtype: torch.dtype, share: float = CLOSE) -> float:
    return max(share, CLOSE_ROUNDINGS * UNIT_ROUNDOFF[dtype])


def _close_to(within: Enclosure, pair: Pair) -> Enclosure:
    size = values.size_of(pair.actual.value, pair.expected.value)
    return replace(within, limit=within.limit.clamp(min=_close(pair.dtype) * size))


def _nearly(case: Case, right: Enclosure) -> Case:
    """The same question with wider places. A lower precision is narrower than those, and can't be told from them."""
    guesses = [guess for guess in case.hypotheses if "lower_precision" not in guess.causes]
    wider = [replace(guess, within=_widened(guess.within, right)) for guess in guesses]
    return replace(case, right=right, hypotheses=tuple(wider), is_exact=False)


def _widened(within: Enclosure, by: Enclosure) -> Enclosure:
    return replace(within, limit=torch.maximum(within.limit, by.limit))
