"""The verdict where one side was traced to a recorded call: by the operands that the call had."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import msgspec

from torchtwin.kernel.causes.changes import Case
from torchtwin.kernel.causes.diagnosis import diagnose, nearer_formula
from torchtwin.kernel.comparing.closeness import CERTAIN, are_close, judge_by_closeness
from torchtwin.kernel.comparing.large import narrowed, widened
from torchtwin.kernel.comparing.origin import Origin
from torchtwin.kernel.comparing.pair import Pair, is_low, noted
from torchtwin.kernel.comparing.sides import Side, named
from torchtwin.kernel.proof.enclosure import Enclosure
from torchtwin.kernel.proof.judge import unchecked
from torchtwin.protocol import Verdict

_CAUSES = {*CERTAIN, "scaled"}
"""What is proven of several numbers that are a wrong formula's of the very operands, but for rounding."""
_NO_CAUSE = {"partial", "unexplained"}
MIN_NUMBERS = 3
"""Of one or two each may be a multiple of the other, or its opposite, by chance."""
CARRIED = 1e-3
"""Of the largest element, that rounding through layers is seen to bring a result, by experience."""


@dataclass(frozen=True)
class Trace:
    """A pair, and what one side of it was found to be."""

    pair: Pair
    is_actual: bool
    """Whether it is the first."""
    origin: Origin
    doubt: str | None = None
    """Why the other side is known to be computed from other operands."""

    @property
    def one(self) -> Side:
        """The side that was traced."""
        return self.pair.actual if self.is_actual else self.pair.expected

    @property
    def other(self) -> Side:
        return self.pair.expected if self.is_actual else self.pair.actual


def judge_traced(trace: Trace) -> Verdict | None:
    """Null where the origin turns out not to be known after all."""
    fewer = narrowed(trace.pair, trace.origin)
    if fewer is None:
        return _judged(trace)
    verdict = _judged(replace(trace, pair=fewer.pair, origin=fewer.origin))
    return None if verdict is None else widened(verdict, fewer, trace.pair, trace.other.name)


def _judged(trace: Trace) -> Verdict | None:
    pair, origin = trace.pair, trace.origin
    whole = origin.within(pair.dtype)
    if whole is None:
        return None
    within = whole.at(origin.pick)
    is_sure = origin.of == "output" and origin.is_held
    if not is_sure and not bool(within.holds(trace.one.value.double()).all()):
        return None  # something else was added to this `.grad`, or an operand was changed where nothing counts it
    verdict = pair.judge(within)
    if verdict.kind == "different":
        return _beyond(trace, within, verdict)
    if _is_far(verdict, within):
        return _wrong_formula(trace, within, verdict) or unchecked(_hardly("over so many terms", pair))
    return _proven(verdict, origin)


def _wrong_formula(trace: Trace, within: Enclosure, verdict: Verdict) -> Verdict | None:
    """Of a result that rounding could explain and hardly does; the bound of many terms is wide."""
    diagnosis = nearer_formula(_case(trace, within, is_wrong_other=True))
    if diagnosis is None:
        return None
    message = verdict.message.removeprefix("rounding only: ")
    verdict = msgspec.structs.replace(
        verdict, kind="different", proof=False, message=f"different: {message}", diagnosis=diagnosis
    )
    return noted(verdict, "no proof: rounding could bring it as far, though it hardly does")


def _hardly(where: str, pair: Pair) -> str:
    names = f"{pair.actual.name} and {pair.expected.name}"
    return f"rounding {where} could bring {names} as far apart as they are, though it hardly does"


def _is_far(verdict: Verdict, within: Enclosure) -> bool:
    """Beyond four times what a random walk of as many roundings brings; not where all is as small as an underflow."""
    units = verdict.units
    usual = max(4.0, 4 * within.usual / math.sqrt(within.terms + 1))
    is_rounding = bool((within.limit <= within.usual * within.unit * within.scale).all())
    return verdict.kind == "rounding" and isinstance(units, float) and units > usual and is_rounding


def _proven(verdict: Verdict, origin: Origin, more: str = "") -> Verdict:
    return noted(verdict, f"proven: the operands of {_name(origin)}{more} are known")


def _name(origin: Origin) -> str:
    """In backticks where it is code, and not words as "the gradient of x"."""
    return origin.name if " " in origin.name and "(" not in origin.name else named(origin.name)


def _beyond(trace: Trace, within: Enclosure, verdict: Verdict) -> Verdict:
    """One side lies where rounding in the call alone can't put it: what it is depends on what it was computed from."""
    pair, origin = trace.pair, trace.origin
    case = _case(trace, within)
    ground = trace.doubt or origin.ground(trace.other.original, pair.dtype)
    if not isinstance(ground, Enclosure):
        return _doubted(trace, case, verdict, ground or "rounding has no finite bound over so many terms")
    wider = ground.at(origin.pick)
    verdict = pair.judge(wider)
    if verdict.kind == "different":
        verdict = msgspec.structs.replace(verdict, diagnosis=diagnose(_carried(case, wider)))
    is_carried_on = origin.of == "output" and bool((wider.limit > within.limit).any())
    if verdict.kind != "different" and is_carried_on:
        return _carried_far(trace, within, verdict)
    is_unclear = verdict.diagnosis is not None and _is_unclear(verdict.diagnosis.code, pair)
    if is_unclear and is_low(pair.dtype) and is_carried_on:
        return _doubted(trace, case, verdict, "sums in pieces are not followed through layers in this precision")
    if is_unclear and is_low(pair.dtype) and (doubted := _summed_in_pieces(trace, wider)):
        return doubted
    verdict = _proven(verdict, origin, " and of the layers before it" if is_carried_on else "")
    if verdict.diagnosis is None or verdict.diagnosis.code not in _NO_CAUSE:
        return verdict
    return noted(
        verdict, "if the other side was computed from numbers that were prepared otherwise, compare those first"
    )


def _is_unclear(code: str, pair: Pair) -> bool:
    """Whether a difference may be rounding's doing as well: without a cause, or with a factor near 1."""
    return code in _NO_CAUSE or (code == "scaled" and are_close(pair))


def _carried_far(trace: Trace, within: Enclosure, verdict: Verdict) -> Verdict:
    """Within the bound of several layers, which lets nearly everything pass where there are many."""
    if _is_far(verdict, within) and (wrong := _wrong_formula(trace, within, verdict)) is not None:
        return wrong
    if are_close(trace.pair, CARRIED):
        return _proven(verdict, trace.origin, " and of the layers before it")
    return unchecked(_hardly("through the layers", trace.pair))


def _doubted(trace: Trace, case: Case, verdict: Verdict, doubt: str) -> Verdict:
    """Where the operands may be others, closeness decides, unless it is a wrong formula of the very ones."""
    pair, is_faint = trace.pair, trace.origin.is_faint()
    is_clear = not is_faint and trace.one.value.numel() >= MIN_NUMBERS and not are_close(pair)
    diagnosis = diagnose(case) if is_clear else None
    if diagnosis is not None and diagnosis.code in _CAUSES and not diagnosis.also:
        return _proven(msgspec.structs.replace(verdict, diagnosis=diagnosis), trace.origin)
    verdict = judge_by_closeness(pair, case, doubt, is_faint)
    return verdict if verdict.kind == "unchecked" else noted(verdict, f"no proof: {doubt}")


def _case(trace: Trace, within: Enclosure, is_wrong_other: bool = False) -> Case:
    """The question why one side is wrong: the one that was not traced, unless that is the right one."""
    wrong, right, origin = trace.other, trace.one, trace.origin
    if not is_wrong_other and bool(within.holds(wrong.value.double()).all()):
        wrong, right = right, wrong
    return Case(
        wrong=wrong.value,
        right=within,
        wrong_name=wrong.name,
        right_name=right.name,
        wrong_as=wrong.as_tensor,
        of="output" if origin.of == "output" else "gradient",
        sums=origin.sums,
        hypotheses=tuple(replace(guess, within=guess.within.at(origin.pick)) for guess in origin.hypotheses()),
    )


def _carried(case: Case, wider: Enclosure) -> Case:
    """The same where more rounding is carried on to the result, whatever the last formula was."""
    more = (wider.limit - case.right.limit).clamp(min=0.0)
    guesses = (replace(it, within=replace(it.within, limit=it.within.limit + more)) for it in case.hypotheses)
    return replace(case, right=wider, hypotheses=tuple(guesses))


def _summed_in_pieces(trace: Trace, within: Enclosure) -> Verdict | None:
    """Whoever writes a sum in pieces rounds each of them; in a low precision that is far more than a layer rounds."""
    one, other = trace.one, trace.other
    wide = within.with_rounded_sums()
    if not bool(within.holds(one.value.double()).all()) or not bool(wide.holds(other.value.double()).all()):
        return None
    name = str(trace.pair.dtype).removeprefix("torch.")
    return unchecked(
        f"{other.name} is further off than one rounding at the end explains, and as close as sums in pieces are that "
        f"are rounded to {name} one by one; compute both in float32 to know"
    )
