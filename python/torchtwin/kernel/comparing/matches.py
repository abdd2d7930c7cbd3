"""Variables that turn out to be a recorded call's output or gradient, found after each cell without being asked."""

from __future__ import annotations

import functools
import itertools
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import torch
from torch import Tensor

from torchtwin.kernel.comparing.graph import made_from
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
from torchtwin.protocol import Match, Verdict

SECONDS = 0.05
"""After one cell, where nobody asked for it."""
MAX_CALLS = 50
"""The newest calls that variables are held against."""
MAX_WORK = 10**6
"""Multiply-adds of a call that a variable is held against, unless somebody waits for the answer."""
MAX_BYTES = 2**20
"""Of an array, which does not count its changes, that is looked at to learn whether it changed."""
MAX_NEAR = 5
"""Of those of a variable's shape, the newest that it may nearly be."""
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
class Look:
    """What a look at the user's names has brought."""

    changed: set[str]
    """The names that were bound or changed since the last look."""
    found: list[Found]
    outdated: set[str]
    """Names whose near miss, told before, was but a step to what matches now."""
    left_out: int
    """How many names there was no time for."""


@dataclass(frozen=True)
class _Candidate:
    """A value of the user's that may be a call's."""

    name: str
    side: Side
    is_new: bool
    """Whether the last cell bound or changed it."""


class _Target:
    """An output or gradient of a recent call. What it takes to hold something against it is worked out when needed."""

    def __init__(self, call: PastCall, of: Role, value: Tensor, is_new: bool, tracer: Tracer) -> None:
        self.call = call
        self.of = of
        self.value = value
        """As the layer computed it."""
        self.is_new = is_new
        """Whether it came with the last cell."""
        self._tracer = tracer
        self._within: dict[torch.dtype, Enclosure | None] = {}

    @functools.cached_property
    def origin(self) -> Origin | None:
        return self._tracer.of_call(self.call, self.of)

    @property
    def key(self) -> tuple[int, Role]:
        return self.call.id, self.of

    @property
    def work(self) -> int:
        """Multiply-adds of the call."""
        input, weight = self.call.copies.get("input"), self.call.copies.get("weight")
        if input is None or weight is None:  # too large for a copy
            return MAX_WORK + 1
        return input.numel() * (weight.numel() // max(weight.shape[-1], 1))

    def within(self, dtype: torch.dtype) -> Enclosure | None:
        """Where honest results of that dtype lie."""
        if dtype not in self._within:
            self._within[dtype] = None if self.origin is None else self.origin.within(dtype)
        return self._within[dtype]


@dataclass(frozen=True)
class _Told:
    """What a variable matches, or nearly."""

    candidate: _Candidate
    target: _Target
    verdict: Verdict

    @property
    def is_near(self) -> bool:
        return self.verdict.kind == "different"

    @property
    def found(self) -> Found:
        return Found(self.target.call.id, Match(self.candidate.name, self.target.of, self.verdict))


class Matcher:
    """Knows what each name and call was after the last cell, to look at what the next one brings."""

    def __init__(self, past: Past, tracer: Tracer) -> None:
        self._past = past
        self._tracer = tracer
        self._seen: dict[str, object] = {}
        self._targets_seen: set[tuple[int, Role, int]] = set()
        self._near: dict[str, tuple[int, Role]] = {}
        """The near misses that were told, by name."""

    def forget(self) -> None:
        """The calls are gone, and whatever comes is new."""
        self._seen.clear()
        self._targets_seen.clear()
        self._near.clear()

    @quietly
    def after_cell(self, names: Mapping[str, Any], seconds: float) -> Look:
        """What was bound or changed, and what that and the older names match. At most `seconds` are spent on it."""
        candidates = list(self._candidates(names))
        changed = {candidate.name for candidate in candidates if candidate.is_new}
        told, left_out = self._tell(candidates, seconds)
        kept = [it for it in told if not it.is_near or not _is_step(it, told)]
        outdated = self._outdated(candidates, kept)
        gone = changed | outdated
        self._near = {name: key for name, key in self._near.items() if name not in gone}
        self._near |= {it.candidate.name: it.target.key for it in kept if it.is_near}
        return Look(changed, [it.found for it in kept], outdated, left_out)

    def _tell(self, candidates: list[_Candidate], seconds: float) -> tuple[list[_Told], int]:
        """What each of them matches, or nearly, and how many there was no time for."""
        until = time.perf_counter() + seconds
        targets = self._targets()
        told: list[_Told] = []
        left_out = 0
        # What is new first: there the time is best spent.
        in_order = sorted(candidates, key=lambda candidate: not candidate.is_new)
        for done, candidate in enumerate(in_order):
            alike = targets.get(candidate.side.value.shape, [])
            if seconds < math.inf and any(it.work > MAX_WORK for it in alike):
                left_out += candidate.is_new
                alike = [it for it in alike if it.work <= MAX_WORK]
            for look in _looks(candidate, alike):
                if time.perf_counter() > until:
                    return told, len(in_order) - done + left_out
                if (found := look()) is not None:
                    told.append(found)
                    break
        return told, left_out

    def _outdated(self, candidates: list[_Candidate], told: list[_Told]) -> set[str]:
        by_name = {candidate.name: candidate.side.original for candidate in candidates if not candidate.is_new}
        near = [(name, key, by_name[name]) for name, key in self._near.items() if name in by_name]
        return {
            name
            for name, key, value in near
            for it in told
            if not it.is_near and it.target.key == key and made_from(it.candidate.side.original, value)
        }

    def _candidates(self, names: Mapping[str, Any]) -> Iterator[_Candidate]:
        seen: dict[str, object] = {}
        for name, value in shown(names):
            for words, part in _parts(name, value):
                seen[words] = now = _state(part)
                made = side(part, words)
                if isinstance(made, Side) and made.value.dtype in UNIT_ROUNDOFF and made.value.numel():
                    yield _Candidate(words, made, self._seen.get(words) != now)
        self._seen = seen

    def _targets(self) -> dict[torch.Size, list[_Target]]:
        """By shape, the newest call first."""
        found: dict[torch.Size, list[_Target]] = defaultdict(list)
        seen = set()
        for call in itertools.islice(reversed(self._past), MAX_CALLS):
            for role in ROLES:
                value = call.copies.get("output") if role == "output" else _share(call, role)
                if value is not None:
                    seen.add(key := (call.id, role, len(call.passes)))
                    found[value.shape].append(_Target(call, role, value, key not in self._targets_seen, self._tracer))
        self._targets_seen = seen
        return found


def _looks(candidate: _Candidate, alike: list[_Target]) -> Iterator[Callable[[], _Told | None]]:
    """At the newest call that the candidate agrees with; if there is none, at the newest that it nearly does."""
    if not alike or not _says_something(candidate):
        return
    fitting = [it for it in alike if (candidate.is_new or it.is_new) and _may_be(candidate, it)]
    yield from (functools.partial(_match, candidate, target) for target in fitting)
    if candidate.is_new and not any(_is_made_from_output(candidate, target) for target in fitting):
        yield from (functools.partial(_near_miss, candidate, target) for target in fitting[:MAX_NEAR])


def _is_made_from_output(candidate: _Candidate, target: _Target) -> bool:
    """As `y.T` is, which is meant to be another thing."""
    output = target.call.original("output")
    return output is not None and made_from(candidate.side.original, output)


def _is_step(near: _Told, told: list[_Told]) -> bool:
    """Whether another new variable has what this one lacks: `pre = x @ w.T` before `answer = pre + b`."""
    return any(it.candidate.is_new and not it.is_near and it.target.key == near.target.key for it in told)


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
    is_small = value.dtype.kind == "f" and value.nbytes <= MAX_BYTES  # type: ignore[attr-defined]
    return id(value), hash(value.tobytes()) if is_small else None  # type: ignore[attr-defined]


def _may_be(candidate: _Candidate, target: _Target) -> bool:
    """Whether it is not the very thing, or an operand of the call."""
    if candidate.side.value.device != target.value.device:
        return False
    known = [t for role in ROLES if (t := target.call.original(role)) is not None]
    known += [t.grad for t in known if (t.is_leaf or t.retains_grad) and t.grad is not None]
    return not any(same_view(candidate.side.original, other) for other in known)


def _says_something(candidate: _Candidate) -> bool:
    """Of ones or zeros there are many; they count where they are a gradient, or were computed by autograd."""
    value = candidate.side.value
    is_constant = bool((value == value.reshape(-1)[0]).all())
    is_computed = candidate.name.endswith(".grad") or candidate.side.original.grad_fn is not None
    return is_computed or not is_constant


def _match(candidate: _Candidate, target: _Target) -> _Told | None:
    value, within = candidate.side.value, target.within(candidate.side.value.dtype)
    if within is None or target.origin is None or not bool(within.holds(value.double()).all()):
        return None
    verdict = judge(target.value, value, within, Words(f"`{target.origin.name}`", candidate.side.name))
    return _Told(candidate, target, verdict)


def _near_miss(candidate: _Candidate, target: _Target) -> _Told | None:
    """Offered only where a cause explains the difference, which of a single number chance may."""
    within = target.within(candidate.side.value.dtype)
    if within is None or target.origin is None or candidate.side.value.numel() < 2:
        return None
    case = Case(
        wrong=candidate.side.value,
        right=within,
        wrong_name=candidate.side.name,
        right_name=f"`{target.origin.name}`",
        of="output" if target.of == "output" else "gradient",
        sums=target.origin.sums,
        hypotheses=tuple(target.origin.hypotheses()),
    )
    diagnosis = diagnose(case)
    if diagnosis.code not in _TELLING or (candidate.side.value.numel() < 3 and diagnosis.code not in _FORMULAS):
        return None
    if diagnosis.code in ("scaled", "negated") and not candidate.name.endswith(".grad"):
        return None  # a step of an optimizer written by hand, say, is meant to be a multiple
    verdict = judge(target.value, candidate.side.value, within, Words(case.right_name, case.wrong_name))
    explained = msgspec.structs.replace(verdict, diagnosis=diagnosis)
    return _Told(candidate, target, explained)
