"""The verdict where one side is known and the other's operands may have been rounded otherwise: by closeness.

There is no bound then. Close to the exact result is `rounding`, further off but still close is `unchecked`, and what
is `different` has a cause or lies further away than rounding is ever seen to bring a result. None of it is a proof.
"""

from __future__ import annotations

from dataclasses import replace

import msgspec
import torch
from torch import Tensor

from torchtwin.kernel.comparing import values
from torchtwin.kernel.comparing.pair import Pair
from torchtwin.kernel.proof.changes import Case
from torchtwin.kernel.proof.diagnosis import diagnose
from torchtwin.kernel.proof.enclosure import Enclosure
from torchtwin.kernel.proof.judge import judge, unchecked
from torchtwin.protocol import Verdict

CLOSE = 0.02
"""Of the largest element, that two honest results may be apart, by experience; no bound."""
CERTAIN = {"missing_transpose", "missing_bias", "bias_twice", "stale_operand", "negated", "permuted"}
"""Causes that rounding can't look like, of results that are close."""


def judge_by_closeness(pair: Pair, case: Case, doubt: str) -> Verdict:
    """`case` asks what is wrong with the side in doubt, beside where the known one lies; `doubt` is why."""
    usual = _nearly(case, values.around(case.right.value, pair.dtype))
    judged = judge(pair.actual.value, pair.expected.value, usual.right, pair.words)
    verdict = msgspec.structs.replace(judged, proof=False)
    if verdict.kind != "different":
        return verdict
    diagnosis = diagnose(usual)
    if diagnosis.code not in CERTAIN:
        if are_close(pair):
            return unchecked(f"{_apart(pair)}; {doubt}")
        diagnosis = diagnose(_nearly(case, _close_to(case.right)))
    return msgspec.structs.replace(verdict, diagnosis=diagnosis)


def are_close(pair: Pair) -> bool:
    """To within some per cent of the largest element."""
    a, b = pair.actual.value.double(), pair.expected.value.double()
    return bool(((a - b).abs() <= CLOSE * min(_largest(a), _largest(b))).all()) or torch.equal(a, b)


def _apart(pair: Pair) -> str:
    names = f"{pair.actual.name} and {pair.expected.name}"
    return f"{names} are close, and further apart than rounding in one layer explains"


def _close_to(within: Enclosure) -> Enclosure:
    return replace(within, limit=within.limit.clamp(min=CLOSE * _largest(within.value)))


def _nearly(case: Case, right: Enclosure) -> Case:
    """The same question with wider places. A lower precision is narrower than those, and can't be told from them."""
    guesses = [guess for guess in case.hypotheses if "lower_precision" not in guess.causes]
    wider = [replace(guess, within=_widened(guess.within, right)) for guess in guesses]
    return replace(case, right=right, hypotheses=tuple(wider), is_exact=False)


def _widened(within: Enclosure, by: Enclosure) -> Enclosure:
    return replace(within, limit=torch.maximum(within.limit, by.limit))


def _largest(value: Tensor) -> float:
    sizes = value.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0).abs()
    return float(sizes.max()) if sizes.numel() else 0.0
