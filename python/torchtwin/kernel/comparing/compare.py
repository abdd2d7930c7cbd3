"""Two results held against each other: by the operands of a recorded call where one of them comes from one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import msgspec
import torch
from torch import Tensor
from torch.autograd.graph import Node

from torchtwin.kernel.comparing import values
from torchtwin.kernel.comparing.origin import Origin, Tracer
from torchtwin.kernel.comparing.shapes import other_shapes
from torchtwin.kernel.comparing.sides import Side, side
from torchtwin.kernel.proof.bounds import UNIT_ROUNDOFF
from torchtwin.kernel.proof.changes import Case
from torchtwin.kernel.proof.diagnosis import diagnose
from torchtwin.kernel.proof.enclosure import Enclosure
from torchtwin.kernel.proof.judge import Words, judge, unchecked
from torchtwin.kernel.quiet import quietly
from torchtwin.protocol import Verdict

CLOSE = 0.02
"""Relative distance of gradients that two honest backward passes may be apart, by experience; no bound."""
MAX_NODES = 10_000
"""Of an autograd graph, looked at to learn what a result was computed from."""


@dataclass(frozen=True)
class Pair:
    """Two sides of one shape, and of floating dtypes that can be judged."""

    actual: Side
    expected: Side

    @property
    def words(self) -> Words:
        return Words(self.actual.name, self.expected.name)

    @property
    def dtype(self) -> torch.dtype:
        """The less precise of the two."""
        return max((self.actual.value.dtype, self.expected.value.dtype), key=UNIT_ROUNDOFF.__getitem__)


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
        whole = origin.within(pair.dtype)
        if whole is None:
            return None
        within = whole.at(origin.pick)
        if origin.of != "output" and not bool(within.holds(one.value.double()).all()):
            return None  # something else was added to this `.grad`
        verdict = judge(pair.actual.value, pair.expected.value, within, pair.words)
        note = origin.name if " " in origin.name and "(" not in origin.name else f"`{origin.name}`"
        if verdict.kind == "different":
            wider = None if _is_made_from_input(other, origin) else origin.chained()
            if wider is not None:
                within = wider.at(origin.pick)
                verdict = judge(pair.actual.value, pair.expected.value, within, pair.words)
                note = f"`{origin.name}` and of the layers before it"
        if verdict.kind == "different":
            verdict = _diagnosed(verdict, pair, other, origin, within)
        if verdict.diagnosis is not None and verdict.diagnosis.code in ("partial", "unexplained"):
            verdict = _in_doubt(pair, one, other, within) or verdict
        if verdict.diagnosis is not None and verdict.diagnosis.code == "unexplained":
            verdict = _of_another_backward(pair, origin) or verdict
        return noted(verdict, f"proven: the operands of {note} are known")

    def _untraced(self, pair: Pair) -> Verdict:
        verdict = values.judge_values(pair.actual.value, pair.expected.value, pair.words, pair.dtype)
        if verdict.kind == "different":
            wrong, right = (pair.actual, pair.expected)
            if bool((right.value.isfinite() < wrong.value.isfinite()).any()):
                wrong, right = right, wrong
            case = Case(
                wrong=wrong.value,
                right=values.around(right.value, pair.dtype),
                wrong_name=wrong.name,
                right_name=right.name,
                of=_kind_of(pair),
                is_exact=False,
            )
            verdict = msgspec.structs.replace(verdict, diagnosis=diagnose(case))
            is_unclear = verdict.diagnosis is not None and verdict.diagnosis.code == "unexplained"
            if is_unclear and case.of == "gradient" and _are_close(pair):
                reason = f"{pair.actual.name} and {pair.expected.name} are close, and nothing is known of how they came"
                verdict = unchecked(reason)
        return noted(verdict, "judged by the values alone: neither side was traced to a recorded call")


def _diagnosed(verdict: Verdict, pair: Pair, other: Side, origin: Origin, within: Enclosure) -> Verdict:
    wrong, right = other, (pair.actual if other is pair.expected else pair.expected)
    if bool(within.holds(other.value.double()).all()):
        wrong, right = right, wrong
    case = Case(
        wrong=wrong.value,
        right=within,
        wrong_name=wrong.name,
        right_name=right.name,
        of="output" if origin.of == "output" else "gradient",
        sums=origin.sums,
        hypotheses=tuple(replace(guess, within=guess.within.at(origin.pick)) for guess in origin.hypotheses()),
    )
    return msgspec.structs.replace(verdict, diagnosis=diagnose(case))


def _of_another_backward(pair: Pair, origin: Origin) -> Verdict | None:
    """A formula's gradient starts from its own output, whose rounding a loss carries on as far as it likes."""
    if origin.of == "output" or not _are_close(pair):
        return None
    return unchecked(
        f"{pair.actual.name} and {pair.expected.name} are close, and further apart than rounding in `{origin.name}` "
        "explains: each came from a backward of its own, which began with an output that was rounded otherwise"
    )


def _are_close(pair: Pair) -> bool:
    """To within a few per cent of their size."""
    a, b = pair.actual.value.double(), pair.expected.value.double()
    return bool((a - b).norm() <= CLOSE * torch.maximum(a.norm(), b.norm()))


def _in_doubt(pair: Pair, one: Side, other: Side, within: Enclosure) -> Verdict | None:
    """Whoever writes a sum in pieces rounds each of them; in a low precision that is far more than a layer rounds."""
    if UNIT_ROUNDOFF[pair.dtype] <= UNIT_ROUNDOFF[torch.float32]:
        return None
    wide = within.with_rounded_sums()
    if not bool(within.holds(one.value.double()).all()) or not bool(wide.holds(other.value.double()).all()):
        return None
    name = str(pair.dtype).removeprefix("torch.")
    return unchecked(
        f"{other.name} is further off than one rounding at the end explains, and as close as sums in pieces are that "
        f"are rounded to {name} one by one; compute both in float32 to know"
    )


def _is_made_from_input(side: Side, origin: Origin) -> bool:
    """Whether a result was computed from the very input that the call had, and so owes nothing to earlier layers."""
    input = origin.call.original("input")
    if input is None or input.grad_fn is None or side.original.grad_fn is None:
        return False
    return any(node is input.grad_fn for node in _graph(side.original.grad_fn))


def _graph(node: Node) -> Iterator[Node]:
    seen, waiting = {node}, [node]
    while waiting and len(seen) < MAX_NODES:
        node = waiting.pop()
        yield node
        new = [source for source, _ in node.next_functions if source is not None and source not in seen]
        seen.update(new)
        waiting.extend(new)


def _kind_of(pair: Pair) -> Literal["output", "gradient"]:
    words = f"{pair.actual.words} {pair.expected.words}"
    return "gradient" if "grad" in words else "output"


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
