"""Variables that turn out to be a recorded call's output or gradient, found after each cell without being asked."""

from __future__ import annotations

import functools
import itertools
import math
import re
import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
import torch
from torch import Tensor

from torchtwin.kernel.causes.changes import Case
from torchtwin.kernel.causes.diagnosis import diagnose
from torchtwin.kernel.comparing.graph import made_from
from torchtwin.kernel.comparing.origin import Origin, Tracer
from torchtwin.kernel.comparing.sides import Side, side
from torchtwin.kernel.identity import has_storage, mark, same_view
from torchtwin.kernel.kinds import is_tensor
from torchtwin.kernel.past import Past, PastCall, Role
from torchtwin.kernel.proof.bounds import UNIT_ROUNDOFF
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
MAX_NEAR = 5
"""Of those of a variable's shape, the newest that it may nearly be."""
ROLES: tuple[Role, ...] = ("output", "weight", "bias", "input")
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
class Look:
    """What a look at the user's names has brought."""

    changed: set[str]
    """The names that were bound or changed since the last look."""
    found: list[Found]
    outdated: set[str]
    """Names whose near miss, told before, was but a step to what matches now."""
    left_out: int
    """How many names there was no time for."""


class _State(NamedTuple):
    """What tells whether a name means another value than before, or a changed one."""

    identity: object
    mark: object
    """Null for an array, which does not count its changes, whose elements were not looked at."""

    def is_changed_from(self, before: _State | None) -> bool:
        if before is None or before.identity != self.identity:
            return True
        return None not in (self.mark, before.mark) and self.mark != before.mark


@dataclass(frozen=True)
class _Candidate:
    """A value of the user's that may be a call's."""

    name: str
    held: Any
    """A tensor, or an array."""
    is_new: bool
    """Whether the last cell bound or changed it."""

    @functools.cached_property
    def side(self) -> Side | None:
        """The array's own memory where torch can read it, else a copy."""
        made = side(self.held if is_tensor(self.held) else _lent(self.held), self.name)
        return made if isinstance(made, Side) else None


@dataclass(frozen=True)
class _Fitting:
    """A candidate, and the targets of its shape that it is to be held against."""

    candidate: _Candidate
    alike: list[_Target]


class _Target:
    """An output or gradient of a recent call. What it takes to hold something against it is worked out when needed."""

    def __init__(self, call: PastCall, of: Role, value: Tensor, tracer: Tracer) -> None:
        self.call = call
        self.of = of
        self.value = value
        """As the layer computed it."""
        self.is_new = True
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
    def state(self) -> tuple[int, Role, int]:
        """Another one with each backward."""
        return self.call.id, self.of, len(self.call.passes)

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
    side: Side
    target: _Target
    verdict: Verdict
    is_given: bool = False
    """Whether torch itself computed it, in another call or in a view of one's result."""

    @property
    def is_near(self) -> bool:
        return self.verdict.kind == "different"

    @property
    def found(self) -> Found:
        return Found(self.target.call.id, Match(self.candidate.name, self.target.of, self.verdict))


class Matcher:
    """Knows what each name and call was after the last cell, to look at what the next one brings."""

    def __init__(self, past: Past, tracer: Tracer, multiples: Callable[[], Container[str]]) -> None:
        """`multiples`: the names that the last cell gave to multiples of a gradient."""
        self._past = past
        self._multiples = multiples
        self._tracer = tracer
        self._seen: dict[str, _State] = {}
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
        until = time.perf_counter() + seconds
        targets = self._targets()
        candidates, changed, unread = self._candidates(names, targets, until)
        self._targets_seen = {it.state for alike in targets.values() for it in alike}
        fitting, left_out = _fitting(candidates, targets, is_patient=seconds == math.inf)
        told, late = self._tell(fitting, until)
        answers = [it for it in told if it.candidate.is_new and not it.is_near and not it.is_given]
        kept = [it for it in told if not it.is_near or not _is_step(it, answers)]
        outdated = self._outdated(candidates, kept)
        gone = changed | outdated
        self._near = {name: key for name, key in self._near.items() if name not in gone}
        self._near |= {it.candidate.name: it.target.key for it in kept if it.is_near}
        return Look(changed, [it.found for it in kept], outdated, unread + left_out + late)

    @quietly
    def look_at(self, words: str, value: object) -> Found | None:
        """What one value matches, or nearly, however long it takes."""
        if not _is_readable(value):
            return None
        one = _Candidate(words, value, is_new=True)
        fitting, _ = _fitting([one], self._targets(), is_patient=True)
        told, _ = self._tell(fitting, math.inf)
        return told[0].found if told else None

    def _tell(self, fitting: list[_Fitting], until: float) -> tuple[list[_Told], int]:
        """What each of them matches, or nearly, and how many there was no time for."""
        given = {_memory(tensor) for tensor in self._given()}
        is_patient, told = until == math.inf, list[_Told]()
        # What is new first: there the time is best spent.
        in_order = sorted(fitting, key=lambda it: not it.candidate.is_new)
        for done, it in enumerate(in_order):
            if time.perf_counter() > until:
                return told, len(in_order) - done
            for look in self._looks(it, given, is_patient):
                if time.perf_counter() > until:
                    return told, len(in_order) - done
                if (found := look()) is not None:
                    told.append(found)
                    break
        return told, 0

    def _looks(self, it: _Fitting, given: Container[int], is_patient: bool) -> Iterator[Callable[[], _Told | None]]:
        """At the newest call that the candidate agrees with; if there is none, at the newest that it nearly does."""
        candidate, one = it.candidate, it.candidate.side
        if one is None or not _says_something(one):
            return
        is_given = _memory(one.original) in given
        fitting = [target for target in it.alike if _may_be(one, target)]
        yield from (functools.partial(_match, candidate, one, target, is_given) for target in fitting)
        if not candidate.is_new or is_given or any(_is_made_from_output(one, target) for target in fitting):
            return  # what torch gave, or a view of it, is meant to be another thing
        for target in fitting[:MAX_NEAR]:
            yield functools.partial(_near_miss, candidate, one, target, functools.partial(self._is_slip, is_patient))

    def _is_slip(self, is_patient: bool, one: Side, target: _Target) -> bool:
        return one.words not in self._multiples() and _is_slip(one, target, is_patient)

    def _given(self) -> Iterator[Tensor]:
        """What torch itself computed: the outputs of calls, and what autograd accumulated."""
        for call in itertools.islice(reversed(self._past), MAX_CALLS):
            output = call.original("output")
            for tensor in (output, *_gradients(call)):
                if tensor is not None and has_storage(tensor):
                    yield tensor

    def _outdated(self, candidates: list[_Candidate], told: list[_Told]) -> set[str]:
        known = [it for it in candidates if not it.is_new and it.name in self._near]
        near = [(it.name, self._near[it.name], it.side.original) for it in known if it.side is not None]
        return {
            name
            for name, key, value in near
            for it in told
            if not it.is_near and it.target.key == key and made_from(it.side.original, value)
        }

    def _candidates(
        self, names: Mapping[str, Any], shapes: Container[torch.Size], until: float
    ) -> tuple[list[_Candidate], set[str], int]:
        """Those of one of the shapes; all names that were bound or changed; and how many were not read for that."""
        found: list[_Candidate] = []
        seen: dict[str, _State] = {}
        changed, unread = set[str](), 0
        for name, value in shown(names):
            for words, part in _parts(name, value):
                before, is_alike = self._seen.get(words), tuple(part.shape) in shapes
                now = _state(part, is_read=False)
                if now.mark is None and (is_alike or (before is not None and before.mark is not None)):
                    is_late = time.perf_counter() >= until
                    unread += is_late
                    now = _unread(now, before) if is_late else _state(part, is_read=True)
                seen[words] = now
                if is_new := now.is_changed_from(before):
                    changed.add(words)
                if is_alike and _is_readable(part):
                    found.append(_Candidate(words, part, is_new))
        changed |= self._seen.keys() - seen.keys()
        self._seen = seen
        return found, changed, unread

    def _targets(self) -> dict[torch.Size, list[_Target]]:
        """By shape, the newest call first."""
        found: dict[torch.Size, list[_Target]] = defaultdict(list)
        for call in itertools.islice(reversed(self._past), MAX_CALLS):
            for role in ROLES:
                value = call.copies.get("output") if role == "output" else _share(call, role)
                if value is not None:
                    target = _Target(call, role, value, self._tracer)
                    target.is_new = target.state not in self._targets_seen
                    found[value.shape].append(target)
        return found


def _unread(now: _State, before: _State | None) -> _State:
    """What stays known of an array that there was no time to read, so that the next look still finds it changed."""
    return before if before is not None and before.identity == now.identity else now


def _fitting(
    candidates: list[_Candidate], targets: Mapping[torch.Size, list[_Target]], is_patient: bool
) -> tuple[list[_Fitting], int]:
    """What is to be held against what, and how many new ones are not because it would be too much work."""
    found, left_out = [], 0
    for candidate in candidates:
        alike = [it for it in targets.get(candidate.held.shape, []) if candidate.is_new or it.is_new]
        if not is_patient and any(it.work > MAX_WORK for it in alike):
            left_out += candidate.is_new
            alike = [it for it in alike if it.work <= MAX_WORK]
        if alike:
            found.append(_Fitting(candidate, alike))
    return found, left_out


def _is_made_from_output(one: Side, target: _Target) -> bool:
    """As `y.T` is, which is meant to be another thing."""
    output = target.call.original("output")
    return output is not None and made_from(one.original, output)


def _is_step(near: _Told, answers: list[_Told]) -> bool:
    """Whether another new variable has what this one lacks: `pre = x @ w.T` before `answer = pre + b`."""
    return any(it.target.key == near.target.key for it in answers)


def _share(call: PastCall, role: Role) -> Tensor | None:
    return call.passes[-1].shares.get(role) if call.passes else None


def _parts(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """A tensor and its `.grad`, or an array."""
    if is_tensor(value):
        if not has_storage(value):
            return
        yield name, value
        gradient = value.grad if value.is_leaf or value.retains_grad else None
        if gradient is not None:
            yield f"{name}.grad", gradient
    elif _is_array(value):
        yield name, value


def _is_array(value: object) -> bool:
    return f"{type(value).__module__}.{type(value).__qualname__}" == "numpy.ndarray"


def _is_readable(value: Any) -> bool:
    """Whether rounding is known for numbers of its dtype. Reads none of them."""
    if is_tensor(value):
        return has_storage(value) and value.dtype in UNIT_ROUNDOFF and value.numel() > 0
    return _is_array(value) and value.dtype.kind == "f" and value.dtype.itemsize in (2, 4, 8) and value.size > 0


def _lent(array: Any) -> Any:
    """Its memory as a tensor, where torch takes it as it is."""
    is_plain = array.dtype.isnative and array.flags.writeable and min(array.strides, default=0) >= 0
    return torch.from_numpy(array) if is_plain and array.flags.aligned and array.ndim else array


def _memory(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _state(value: Any, is_read: bool) -> _State:
    if is_tensor(value):
        return _State(id(value), mark(value))
    where = id(value), value.shape, value.dtype.str, value.__array_interface__["data"][0]
    if not is_read or not _is_readable(value):
        return _State(where, None)
    return _State(where, zlib.crc32(value if value.flags.c_contiguous else value.tobytes()))


def _may_be(one: Side, target: _Target) -> bool:
    """Whether it is not the very thing, or an operand of the call."""
    if one.value.device != target.value.device:
        return False
    known = [t for role in ROLES if (t := target.call.original(role)) is not None]
    return not any(same_view(one.original, other) for other in [*known, *_gradients(target.call)])


def _gradients(call: PastCall) -> Iterator[Tensor]:
    for role in ROLES:
        tensor = call.original(role)
        if tensor is not None and (tensor.is_leaf or tensor.retains_grad) and tensor.grad is not None:
            yield tensor.grad


def _says_something(one: Side) -> bool:
    """Of ones or zeros there are many; they count where they are a gradient, or were computed by autograd."""
    value = one.value
    is_constant = bool((value == value.reshape(-1)[0]).all())
    is_computed = one.words.endswith(".grad") or one.original.grad_fn is not None
    return is_computed or not is_constant


def _match(candidate: _Candidate, one: Side, target: _Target, is_given: bool) -> _Told | None:
    value, within = one.value, target.within(one.value.dtype)
    if within is None or target.origin is None or not bool(within.holds(value.double()).all()):
        return None
    verdict = judge(target.value, value, within, Words(f"`{target.origin.name}`", one.name))
    return _Told(candidate, one, target, verdict, is_given)


def _near_miss(
    candidate: _Candidate, one: Side, target: _Target, is_slip: Callable[[Side, _Target], bool]
) -> _Told | None:
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
    return _Told(candidate, one, target, explained)


def _is_slip(one: Side, target: _Target, is_patient: bool) -> bool:
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
