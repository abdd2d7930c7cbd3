"""One variable held against one output or gradient: whether it is that, or nearly."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from torchtwin.kernel.causes.changes import Case
from torchtwin.kernel.causes.diagnosis import diagnose
from torchtwin.kernel.comparing.candidates import Candidate
from torchtwin.kernel.comparing.graph import made_from
from torchtwin.kernel.comparing.sides import Side
from torchtwin.kernel.comparing.targets import ROLES, Target, gradients
from torchtwin.kernel.identity import same_view
from torchtwin.kernel.proof.judge import Words, judge
from torchtwin.protocol import Match, Verdict

_FORMULAS = {"missing_transpose", "missing_bias", "bias_twice"}
# No `stale_operand`: after a step of training, what is computed with the new weight is meant to be another thing.
_TELLING = {*_FORMULAS, "scaled", "negated", "permuted"}
"""Causes that a near miss is offered for; others may be chance, as a factor or an order of two numbers may."""
_GRADIENT = re.compile(r"(?i)grad|(^|_)d(_?[a-z]{1,2}\d*|_?weights?|_?bias|_?inputs?)(_\w+)?$|^dl_?d")
"""What people call a gradient: `dW`, `d_b1`, `dL_dx`, `grad_w`, `w_grad`."""


@dataclass(frozen=True)
class Found:
    """A match, and the call that it belongs to."""

    call: int
    match: Match


@dataclass(frozen=True)
class Told:
    """What a variable matches, or nearly."""

    candidate: Candidate
    side: Side
    target: Target
    verdict: Verdict
    is_given: bool = False
    """Whether torch itself computed it, in another call or in a view of one's result."""

    @property
    def is_near(self) -> bool:
        return self.verdict.kind == "different"

    @property
    def found(self) -> Found:
        return Found(self.target.call.id, Match(self.candidate.name, self.target.of, self.verdict))


def may_be(one: Side, target: Target) -> bool:
    """Whether it is not the very thing, or an operand of the call."""
    if one.value.device != target.value.device:
        return False
    known = [t for role in ROLES if (t := target.call.original(role)) is not None]
    return not any(same_view(one.original, other) for other in [*known, *gradients(target.call)])


def is_made_from_output(one: Side, target: Target) -> bool:
    """As `y.T` is, which is meant to be another thing."""
    output = target.call.original("output")
    return output is not None and made_from(one.original, output)


def says_something(one: Side) -> bool:
    """Of ones or zeros there are many; they count where they are a gradient, or were computed by autograd."""
    value = one.value
    is_constant = bool((value == value.reshape(-1)[0]).all())
    is_computed = one.words.endswith(".grad") or one.original.grad_fn is not None
    return is_computed or not is_constant


def match_of(candidate: Candidate, one: Side, target: Target, is_given: bool) -> Told | None:
    value, within = one.value, target.within(one.value.dtype)
    if within is None or target.origin is None or not bool(within.holds(value.double()).all()):
        return None
    verdict = judge(target.value, value, within, Words(f"`{target.origin.name}`", one.name))
    return Told(candidate, one, target, verdict, is_given)


def near_miss_of(
    candidate: Candidate, one: Side, target: Target, is_slip: Callable[[Side, Target], bool]
) -> Told | None:
    """Offered only where a cause explains the difference, which of a single number chance may."""
    within = target.within(one.value.dtype)
    if within is None or target.origin is None or one.value.numel() < 2:
        return None
    case = Case(
        wrong=one.value,
        right=within,
        wrong_name=one.name,
        right_name=f"`{target.origin.name}`",
        of="output" if target.of == "output" else "gradient",
        sums=target.origin.sums,
        hypotheses=tuple(target.origin.hypotheses()),
    )
    diagnosis = diagnose(case)
    if diagnosis.code not in _TELLING or (one.value.numel() < 3 and diagnosis.code not in _FORMULAS):
        return None
    if diagnosis.code in ("scaled", "negated") and not is_slip(one, target):
        return None
    verdict = judge(target.value, one.value, within, Words(case.right_name, case.wrong_name))
    explained = msgspec.structs.replace(verdict, diagnosis=diagnosis)
    return Told(candidate, one, target, explained)


def is_multiple_by_mistake(one: Side, target: Target, is_patient: bool) -> bool:
    """Whether a multiple is not meant to be one, as a step of an optimizer written by hand is.

    A factor that a wrong gradient has, as 2, 1/2 or the batch, and no learning rate; under a name that says gradient,
    or any name where somebody waits, if it is whole.
    """
    if one.words.endswith(".grad"):
        return True
    if target.of == "output" or target.origin is None or len(target.call.passes) > 1:  # several may have added up
        return False
    right = target.value.double().reshape(-1)
    factor = float(one.value.double().reshape(-1) @ right / (right @ right))
    if not math.isfinite(factor):
        return False
    is_whole = round(factor) >= 2 and math.isclose(factor, round(factor), rel_tol=1e-3)
    usual = (-1.0, 0.5, *(1 / n for n, _ in target.origin.sums))
    if _GRADIENT.search(one.words) is None:
        return is_patient and is_whole
    return is_whole or any(math.isclose(factor, it, rel_tol=1e-3) for it in usual)
