"""Two results held against each other: by the operands of a recorded call where one of them comes from one."""

from __future__ import annotations

import re
from dataclasses import replace

import msgspec
from torch import Tensor

from torchtwin.kernel.causes.changes import Case
from torchtwin.kernel.causes.diagnosis import diagnose
from torchtwin.kernel.comparing import values
from torchtwin.kernel.comparing.changed import changed_between
from torchtwin.kernel.comparing.closeness import FORMULAS, is_certain, undecided
from torchtwin.kernel.comparing.ground import is_faint
from torchtwin.kernel.comparing.origin import Tracer
from torchtwin.kernel.comparing.pair import Pair, is_low, noted
from torchtwin.kernel.comparing.shapes import other_shapes
from torchtwin.kernel.comparing.sides import Side, as_real, side
from torchtwin.kernel.comparing.traced import Trace, judge_traced
from torchtwin.kernel.proof.bounds import UNIT_ROUNDOFF
from torchtwin.kernel.proof.judge import Words, unchecked
from torchtwin.kernel.quiet import quietly
from torchtwin.protocol import Verdict

_GRADIENT = re.compile(r"\.grad\b|gradient of ")


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
            return other_shapes(a, b, self._compare, self._is_own)
        if not _rounds(a.value) and not _rounds(b.value):
            return values.judge_exact(a.value, b.value, Words(a.name, b.name, layer_as=a.as_tensor))
        if a.value.is_complex() or b.value.is_complex():
            return noted(self._compare(as_real(a), as_real(b)), "by real and imaginary parts, the last index of each")
        a, b = _as_float(a), _as_float(b)
        if unknown := next((s for s in (a, b) if s.value.dtype not in UNIT_ROUNDOFF), None):
            name = str(unknown.value.dtype).removeprefix("torch.")
            return unchecked(f"no rounding bound for {name}, the dtype of {unknown.name}")
        pair = Pair(a, b)
        return self._with_changes(pair, self._traced(pair) or self._untraced(pair))

    def _with_changes(self, pair: Pair, verdict: Verdict) -> Verdict:
        """Whoever compares what a model gave before a step with what it gives now may not think of the step."""
        if verdict.kind in ("identical", "rounding") or (changed := changed_between(self._tracer, pair)) is None:
            return verdict
        return noted(verdict, changed)

    def _is_own(self, side: Side) -> bool:
        return self._tracer.is_own(side.original)

    def _traced(self, pair: Pair) -> Verdict | None:
        """Each side may be traced, to operands of its own: it is enough that those of one explain the other."""
        found = []
        for is_actual in sorted((True, False), key=lambda it: self._order(_side(pair, it))):
            if (verdict := self._by_side(pair, is_actual)) is None:
                continue
            if verdict.kind in ("identical", "rounding"):
                return verdict
            found.append(verdict)
        return min(found, key=_rank, default=None)

    def _order(self, side: Side) -> tuple[float, bool]:
        """The more precise side first, and what torch gave before what was made by hand."""
        return UNIT_ROUNDOFF[side.value.dtype], not self._is_own(side)

    def _by_side(self, pair: Pair, is_actual: bool) -> Verdict | None:
        for origin in self._tracer.origins(_side(pair, is_actual).original):
            doubt = self._tracer.other_operands(_side(pair, not is_actual).original, origin)
            if verdict := judge_traced(Trace(pair, is_actual, origin, doubt)):
                return verdict
        return None

    def _untraced(self, pair: Pair) -> Verdict:
        verdict = values.judge_values(pair.actual.value, pair.expected.value, pair.words, pair.dtype)
        if verdict.kind == "different":
            verdict = self._explained(pair, verdict)
        if verdict.kind == "unchecked":
            return verdict
        return noted(verdict, "judged by the values alone: neither side was traced to a recorded call")

    def _explained(self, pair: Pair, verdict: Verdict) -> Verdict:
        wrong, right = pair.actual, pair.expected
        if UNIT_ROUNDOFF[right.value.dtype] > UNIT_ROUNDOFF[wrong.value.dtype]:
            wrong, right = right, wrong
        if bool((right.value.isfinite() < wrong.value.isfinite()).any()):
            wrong, right = right, wrong
        calls = [call for one in (wrong, right) for call in self._tracer.given_gradient(one.original)]
        is_gradient = bool(calls) or any(_GRADIENT.search(one.words) for one in (wrong, right))
        case = Case(
            wrong=wrong.value,
            right=values.around(right.value, pair.dtype, wrong.value),
            wrong_name=wrong.name,
            right_name=right.name,
            wrong_as=wrong.as_tensor,
            of="gradient" if is_gradient else "output",
            is_exact=False,
        )
        diagnosis = diagnose(case)
        is_derived = is_gradient or any(self._tracer.is_derived(one.original) for one in (wrong, right))
        if (is_derived or is_low(pair.dtype)) and not is_certain(diagnosis, pair):
            doubt = undecided(pair, is_faint=any(is_faint(call) for call in calls))
            if doubt is not None:
                return unchecked(f"{doubt}; nothing is known of how they came")
        return msgspec.structs.replace(verdict, diagnosis=diagnosis)


def _side(pair: Pair, is_actual: bool) -> Side:
    return pair.actual if is_actual else pair.expected


def _rank(verdict: Verdict) -> int:
    """Of two that do not agree: a wrong formula that is proven counts, else what is in doubt, by either side."""
    is_formula = verdict.diagnosis is not None and verdict.diagnosis.code in FORMULAS
    if verdict.proof and is_formula:
        return 0
    return 1 if verdict.kind == "unchecked" else 2 + verdict.proof


def _rounds(value: Tensor) -> bool:
    return value.is_floating_point() or value.is_complex()


def _as_float(side: Side) -> Side:
    """Integers beside floating point are exact numbers."""
    return side if _rounds(side.value) else replace(side, value=side.value.double())


def _on_one_device(a: Side, b: Side) -> tuple[Side, Side, str | None]:
    if a.value.device == b.value.device:
        return a, b, None
    moved = f"{a.name} is on {a.value.device}, {b.name} on {b.value.device}: compared on the CPU"
    return replace(a, value=a.value.cpu()), replace(b, value=b.value.cpu()), moved
