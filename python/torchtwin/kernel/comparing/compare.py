"""Two results held against each other: by the operands of a recorded call where one of them comes from one."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import torch
from torch import Tensor

from torchtwin.kernel.comparing import values
from torchtwin.kernel.comparing.closeness import CERTAIN, are_close, judge_by_closeness, undecided
from torchtwin.kernel.comparing.ground import is_faint
from torchtwin.kernel.comparing.large import narrowed, widened
from torchtwin.kernel.comparing.origin import Origin, Tracer
from torchtwin.kernel.comparing.pair import Pair
from torchtwin.kernel.comparing.shapes import other_shapes
from torchtwin.kernel.comparing.sides import Side, side
from torchtwin.kernel.proof.bounds import UNIT_ROUNDOFF
from torchtwin.kernel.proof.changes import Case
from torchtwin.kernel.proof.diagnosis import diagnose
from torchtwin.kernel.proof.enclosure import Enclosure
from torchtwin.kernel.proof.judge import Words, unchecked
from torchtwin.kernel.quiet import quietly
from torchtwin.protocol import Verdict


class Comparer:
    """Compares values with what is remembered of recorded calls."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    @quietly
    def compare(self, actual: object, expected: object, words: tuple[str, str]) -> Verdict:
        """The verdict on two values of any kind; `words` are the user's for them. Raises nothing on bad input."""
        sides = side(actual, words[0]), side(expected, words[1])
        for one in sides:
            if isinstance(one, str):
                return unchecked(one)
        a, b = (one for one in sides if isinstance(one, Side))
        a, b, moved = _on_one_device(a, b)
        verdict = self._compare(a, b)
        return noted(verdict, moved) if moved else verdict

    def _compare(self, a: Side, b: Side) -> Verdict:
        if a.value.shape != b.value.shape:
            return other_shapes(a, b, self._compare, self._is_recorded)
        if not _rounds(a.value) and not _rounds(b.value):
            return values.judge_exact(a.value, b.value, Words(a.name, b.name))
        if a.value.is_complex() or b.value.is_complex():
            return self._compare(_as_real(a), _as_real(b))
        a, b = _as_float(a), _as_float(b)
        if unknown := next((s for s in (a, b) if s.value.dtype not in UNIT_ROUNDOFF), None):
            name = str(unknown.value.dtype).removeprefix("torch.")
            return unchecked(f"no rounding bound for {name}, the dtype of {unknown.name}")
        return self._traced(Pair(a, b)) or self._untraced(Pair(a, b))

    def _is_recorded(self, side: Side) -> bool:
        return next(self._tracer.origins(side.original), None) is not None

    def _traced(self, pair: Pair) -> Verdict | None:
        for one, other in ((pair.actual, pair.expected), (pair.expected, pair.actual)):
            for origin in self._tracer.origins(one.original):
                if verdict := self._by_origin(pair, one, other, origin):
                    return verdict
        return None

    def _by_origin(self, pair: Pair, one: Side, other: Side, origin: Origin) -> Verdict | None:
        fewer = narrowed(pair, origin)
        if fewer is None:
            return _by_origin(pair, one, other, origin)
        of_one, of_other = (fewer.pair.actual, fewer.pair.expected)[:: 1 if one is pair.actual else -1]
        verdict = _by_origin(fewer.pair, of_one, of_other, fewer.origin)
        return None if verdict is None else widened(verdict, fewer, other.name, one.value.numel())

    def _untraced(self, pair: Pair) -> Verdict:
        verdict = values.judge_values(pair.actual.value, pair.expected.value, pair.words, pair.dtype)
        if verdict.kind == "different":
            verdict = self._explained(pair, verdict)
        if verdict.kind == "unchecked":
            return verdict
        return noted(verdict, "judged by the values alone: neither side was traced to a recorded call")

    def _explained(self, pair: Pair, verdict: Verdict) -> Verdict:
        wrong, right = pair.actual, pair.expected
        if bool((right.value.isfinite() < wrong.value.isfinite()).any()):
            wrong, right = right, wrong
        calls = [call for one in (wrong, right) for call in self._tracer.given_gradient(one.original)]
        is_gradient = bool(calls) or "grad" in f"{wrong.words} {right.words}"
        case = Case(
            wrong=wrong.value,
            right=values.around(right.value, pair.dtype),
            wrong_name=wrong.name,
            right_name=right.name,
            of="gradient" if is_gradient else "output",
            is_exact=False,
        )
        diagnosis = diagnose(case)
        if (is_gradient or _is_low(pair.dtype)) and diagnosis.code not in CERTAIN:
            doubt = undecided(pair, is_faint=any(is_faint(call) for call in calls))
            if doubt is not None:
                return unchecked(f"{doubt}; nothing is known of how they came")
        return msgspec.structs.replace(verdict, diagnosis=diagnosis)


def _by_origin(pair: Pair, one: Side, other: Side, origin: Origin) -> Verdict | None:
    whole = origin.within(pair.dtype)
    if whole is None:
        return None
    within = whole.at(origin.pick)
    if origin.of != "output" and not bool(within.holds(one.value.double()).all()):
        return None  # something else was added to this `.grad`
    verdict = pair.judge(within)
    return (
        _beyond(pair, one, other, origin, within, verdict) if verdict.kind == "different" else _proven(verdict, origin)
    )


def _proven(verdict: Verdict, origin: Origin, more: str = "") -> Verdict:
    name = origin.name if " " in origin.name and "(" not in origin.name else f"`{origin.name}`"
    return noted(verdict, f"proven: the operands of {name}{more} are known")


def _beyond(pair: Pair, one: Side, other: Side, origin: Origin, within: Enclosure, verdict: Verdict) -> Verdict:
    """One side lies where rounding in the call alone can't put it: what it is depends on what it was computed from."""
    case = _case(pair, other, origin, within)
    ground = origin.ground(other.original, pair.dtype)
    if not isinstance(ground, Enclosure):
        return _doubted(pair, case, origin, verdict, ground or "rounding has no finite bound over so many terms")
    wider = ground.at(origin.pick)
    verdict = pair.judge(wider)
    if verdict.kind == "different":
        verdict = msgspec.structs.replace(verdict, diagnosis=diagnose(_carried(case, wider)))
    is_carried_on = origin.of == "output" and bool((wider.limit > within.limit).any())
    is_unclear = verdict.diagnosis is not None and verdict.diagnosis.code in ("partial", "unexplained")
    if is_unclear and _is_low(pair.dtype) and is_carried_on:
        return _doubted(pair, case, origin, verdict, "sums in pieces are not followed through layers in this precision")
    if is_unclear and _is_low(pair.dtype) and (doubted := _summed_in_pieces(pair, one, other, wider)):
        return doubted
    return _proven(verdict, origin, " and of the layers before it" if is_carried_on else "")


def _doubted(pair: Pair, case: Case, origin: Origin, verdict: Verdict, doubt: str) -> Verdict:
    """Where the operands may be others, closeness decides, unless it is a wrong formula of the very ones."""
    diagnosis = diagnose(case)
    faint = origin.is_faint()
    if (diagnosis.code in CERTAIN or (diagnosis.code == "scaled" and not faint)) and not are_close(pair):
        return _proven(msgspec.structs.replace(verdict, diagnosis=diagnosis), origin)
    verdict = judge_by_closeness(pair, case, doubt, faint)
    return verdict if verdict.kind == "unchecked" else noted(verdict, f"no proof: {doubt}")


def _case(pair: Pair, other: Side, origin: Origin, within: Enclosure) -> Case:
    """The question why one side is wrong: the one that was not traced, unless that is the right one."""
    wrong, right = other, (pair.actual if other is pair.expected else pair.expected)
    if bool(within.holds(other.value.double()).all()):
        wrong, right = right, wrong
    return Case(
        wrong=wrong.value,
        right=within,
        wrong_name=wrong.name,
        right_name=right.name,
        of="output" if origin.of == "output" else "gradient",
        sums=origin.sums,
        hypotheses=tuple(replace(guess, within=guess.within.at(origin.pick)) for guess in origin.hypotheses()),
    )


def _carried(case: Case, wider: Enclosure) -> Case:
    """The same where more rounding is carried on to the result, whatever the last formula was."""
    more = (wider.limit - case.right.limit).clamp(min=0.0)
    guesses = (replace(it, within=replace(it.within, limit=it.within.limit + more)) for it in case.hypotheses)
    return replace(case, right=wider, hypotheses=tuple(guesses))


def _summed_in_pieces(pair: Pair, one: Side, other: Side, within: Enclosure) -> Verdict | None:
    """Whoever writes a sum in pieces rounds each of them; in a low precision that is far more than a layer rounds."""
    wide = within.with_rounded_sums()
    if not bool(within.holds(one.value.double()).all()) or not bool(wide.holds(other.value.double()).all()):
        return None
    name = str(pair.dtype).removeprefix("torch.")
    return unchecked(
        f"{other.name} is further off than one rounding at the end explains, and as close as sums in pieces are that "
        f"are rounded to {name} one by one; compute both in float32 to know"
    )


def _is_low(dtype: torch.dtype) -> bool:
    return UNIT_ROUNDOFF[dtype] > UNIT_ROUNDOFF[torch.float32]


def _rounds(value: Tensor) -> bool:
    return value.is_floating_point() or value.is_complex()


def _as_float(side: Side) -> Side:
    """Integers beside floating point are exact numbers."""
    return side if _rounds(side.value) else replace(side, value=side.value.double())


def _as_real(side: Side) -> Side:
    """The real and imaginary parts."""
    value = side.value if side.value.is_complex() else side.value.to(torch.complex128)
    parts = torch.view_as_real(value)
    return replace(side, original=parts, value=parts)


def _on_one_device(a: Side, b: Side) -> tuple[Side, Side, str | None]:
    if a.value.device == b.value.device:
        return a, b, None
    moved = f"{a.name} is on {a.value.device}, {b.name} on {b.value.device}: compared on the CPU"
    return replace(a, value=a.value.cpu()), replace(b, value=b.value.cpu()), moved


def noted(verdict: Verdict, note: str) -> Verdict:
    """The verdict with one more note."""
    return msgspec.structs.replace(verdict, note=f"{verdict.note}; {note}" if verdict.note else note)
