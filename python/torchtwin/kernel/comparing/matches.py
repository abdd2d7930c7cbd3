"""Variables that turn out to be a recorded call's output or gradient, found after each cell without being asked."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from torch import Tensor

from torchtwin.kernel.comparing.origin import Origin, Tracer
from torchtwin.kernel.comparing.sides import Side, side
from torchtwin.kernel.identity import has_storage, mark, same_view
from torchtwin.kernel.kinds import is_tensor
from torchtwin.kernel.past import Past, PastCall, Role
from torchtwin.kernel.proof.bounds import UNIT_ROUNDOFF
from torchtwin.kernel.proof.changes import Case
from torchtwin.kernel.proof.diagnosis import diagnose
from torchtwin.kernel.proof.enclosure import Enclosure
from torchtwin.kernel.proof.judge import Words, judge
from torchtwin.kernel.quiet import quietly
from torchtwin.kernel.scopes import shown
from torchtwin.protocol import Match

SECONDS = 0.05
"""After one cell, where nobody asked for it."""
MAX_CALLS = 50
"""The newest calls that variables are held against."""
ROLES: tuple[Role, ...] = ("output", "weight", "bias", "input")
_FORMULAS = {"missing_transpose", "missing_bias", "bias_twice", "stale_operand"}
_TELLING = {*_FORMULAS, "scaled", "negated", "permuted"}
"""Causes that a near miss is offered for; others may be chance, as a factor or an order of two numbers may."""


@dataclass(frozen=True)
class Found:
    """A match, and the call that it belongs to."""

    call: int
    match: Match


@dataclass(frozen=True)
class _Candidate:
    """A value of the user's that may be a call's."""

    name: str
    side: Side
    is_new: bool
    """Whether the last cell bound or changed it."""


@dataclass(frozen=True)
class _Target:
    """An output or gradient of a recent call."""

    origin: Origin
    value: Tensor
    """As the layer computed it."""
    is_new: bool
    """Whether it came with the last cell."""


class Matcher:
    """Knows what each name and call was after the last cell, to look at what the next one brings."""

    def __init__(self, past: Past, tracer: Tracer) -> None:
        self._past = past
        self._tracer = tracer
        self._seen: dict[str, object] = {}
        self._targets_seen: set[tuple[int, Role, int]] = set()

    def forget(self) -> None:
        """The calls are gone, and whatever comes is new."""
        self._seen.clear()
        self._targets_seen.clear()

    @quietly
    def after_cell(self, names: Mapping[str, Any], seconds: float) -> tuple[set[str], list[Found], int]:
        """The names that were bound or changed, what they and the older ones match, and how many were left out.

        At most `seconds` are spent on it.
        """
        until = time.perf_counter() + seconds
        candidates = list(self._candidates(names))
        targets = list(self._targets())
        self._targets_seen = {_key(target) for target in targets}
        changed = {candidate.name for candidate in candidates if candidate.is_new}
        found: list[Found] = []
        # What is new first: there the time is best spent.
        in_order = sorted(candidates, key=lambda candidate: not candidate.is_new)
        for done, candidate in enumerate(in_order):
            if time.perf_counter() > until:
                return changed, found, len(in_order) - done
            found.extend(self._matches(candidate, targets))
        return changed, found, 0

    def _candidates(self, names: Mapping[str, Any]) -> Iterator[_Candidate]:
        seen: dict[str, object] = {}
        for name, value in shown(names):
            for words, part in _parts(name, value):
                seen[words] = now = _state(part)
                made = side(part, words)
                if isinstance(made, Side) and made.value.dtype in UNIT_ROUNDOFF and made.value.numel():
                    yield _Candidate(words, made, self._seen.get(words) != now)
        self._seen = seen

    def _targets(self) -> Iterator[_Target]:
        for call in itertools.islice(reversed(self._past), MAX_CALLS):
            for role in ROLES:
                value = call.copies.get("output") if role == "output" else _share(call, role)
                origin = self._tracer.of_call(call, role) if value is not None else None
                if value is not None and origin is not None:
                    target = _Target(origin, value, False)
                    yield _Target(origin, value, _key(target) not in self._targets_seen)

    def _matches(self, candidate: _Candidate, targets: list[_Target]) -> list[Found]:
        """The newest call that the candidate agrees with; else the newest that it nearly does."""
        fitting = [t for t in targets if (candidate.is_new or t.is_new) and _may_be(candidate, t)]
        for target in fitting:
            within = target.origin.within(candidate.side.value.dtype)
            if within is not None and bool(within.holds(candidate.side.value.double()).all()):
                return [_found(candidate, target, within)]
        for target in fitting:
            if (near := _near_miss(candidate, target)) is not None:
                return [near]
        return []


def _key(target: _Target) -> tuple[int, Role, int]:
    return target.origin.call.id, target.origin.of, len(target.origin.call.passes)


def _share(call: PastCall, role: Role) -> Tensor | None:
    return call.passes[-1].shares.get(role) if call.passes else None


def _parts(name: str, value: object) -> Iterator[tuple[str, object]]:
    """A tensor and its `.grad`, or an array."""
    if is_tensor(value):
        if not has_storage(value):
            return
        yield name, value
        gradient = value.grad if value.is_leaf or value.retains_grad else None
        if gradient is not None:
            yield f"{name}.grad", gradient
    elif f"{type(value).__module__}.{type(value).__qualname__}" == "numpy.ndarray":
        yield name, value


def _state(value: object) -> object:
    """What tells whether a name means another value than before, or a changed one."""
    if is_tensor(value):
        return id(value), mark(value)
    return id(value), float(value.sum()) if value.dtype.kind == "f" else 0.0  # type: ignore[attr-defined]


def _may_be(candidate: _Candidate, target: _Target) -> bool:
    """Whether it has the shape, is not the very thing or an operand of the call, and says something."""
    value = candidate.side.value
    if value.shape != target.value.shape or value.device != target.value.device:
        return False
    originals = (target.origin.call.original(role) for role in ROLES)
    known = [t for t in originals if t is not None]
    known += [t.grad for t in known if (t.is_leaf or t.retains_grad) and t.grad is not None]
    if any(same_view(candidate.side.original, other) for other in known):
        return False
    return _says_something(candidate)


def _says_something(candidate: _Candidate) -> bool:
    """Of ones or zeros there are many; they count where they are a gradient, or were computed by autograd."""
    value = candidate.side.value
    is_constant = bool((value == value.reshape(-1)[0]).all())
    is_computed = candidate.name.endswith(".grad") or candidate.side.original.grad_fn is not None
    return is_computed or not is_constant


def _found(candidate: _Candidate, target: _Target, within: Enclosure) -> Found:
    verdict = judge(target.value, candidate.side.value, within, _words(candidate, target))
    return Found(target.origin.call.id, Match(candidate.name, target.origin.of, verdict))


def _near_miss(candidate: _Candidate, target: _Target) -> Found | None:
    """Offered only where a cause explains the difference, which of a single number chance may."""
    within = target.origin.within(candidate.side.value.dtype)
    if within is None or candidate.side.value.numel() < 2 or not candidate.is_new:
        return None
    case = Case(
        wrong=candidate.side.value,
        right=within,
        wrong_name=candidate.side.name,
        right_name=f"`{target.origin.name}`",
        of="output" if target.origin.of == "output" else "gradient",
        sums=target.origin.sums,
        hypotheses=tuple(target.origin.hypotheses()),
    )
    diagnosis = diagnose(case)
    if diagnosis.code not in _TELLING or (candidate.side.value.numel() < 3 and diagnosis.code not in _FORMULAS):
        return None
    verdict = judge(target.value, candidate.side.value, within, _words(candidate, target))
    explained = msgspec.structs.replace(verdict, diagnosis=diagnosis)
    return Found(target.origin.call.id, Match(candidate.name, target.origin.of, explained))


def _words(candidate: _Candidate, target: _Target) -> Words:
    return Words(f"`{target.origin.name}`", candidate.side.name)
