"""Variables that turn out to be a recorded call's output or gradient, found after each cell without being asked."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from torchtwin.kernel.comparing.candidates import Candidate, Candidates, is_readable
from torchtwin.kernel.comparing.graph import made_from
from torchtwin.kernel.comparing.looks import (
    Found,
    Told,
    is_made_from_output,
    is_multiple_by_mistake,
    match_of,
    may_be,
    near_miss_of,
    says_something,
)
from torchtwin.kernel.comparing.origin import Tracer
from torchtwin.kernel.comparing.sides import Side
from torchtwin.kernel.comparing.targets import MAX_WORK, Target, Targets, given
from torchtwin.kernel.past import Past, Role
from torchtwin.kernel.quiet import quietly

SECONDS = 0.05
"""After one cell, where nobody asked for it."""
MAX_NEAR = 5
"""Of those of a variable's shape, the newest that it may nearly be."""


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
class _Fitting:
    """A candidate, and the targets of its shape that it is to be held against."""

    candidate: Candidate
    alike: list[Target]


_OF_A_LAYER = "AddmmBackward0"


class Matcher:
    """Knows what each name and call was after the last cell, to look at what the next one brings."""

    def __init__(self, past: Past, tracer: Tracer, multiples: Callable[[], Container[str]]) -> None:
        """`multiples`: the names that the last cell gave to multiples of a gradient."""
        self._past = past
        self._multiples = multiples
        self._candidates = Candidates()
        self._targets = Targets(past, tracer)
        self._near: dict[str, tuple[int, Role]] = {}
        """The near misses that were told, by name."""

    def forget(self) -> None:
        """The calls are gone, and whatever comes is new."""
        self._candidates.forget()
        self._targets.forget()
        self._near.clear()

    @quietly
    def after_cell(self, names: Mapping[str, Any], seconds: float) -> Look:
        """What was bound or changed, and what that and the older names match. At most `seconds` are spent on it."""
        until = time.perf_counter() + seconds
        targets = self._targets.by_shape()
        candidates, changed, unread = self._candidates.after_cell(names, targets, until)
        self._targets.remember(targets)
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
        if not is_readable(value):
            return None
        one = Candidate(words, value, is_new=True)
        fitting, _ = _fitting([one], self._targets.by_shape(), is_patient=True)
        told, _ = self._tell(fitting, math.inf)
        return told[0].found if told else None

    def _tell(self, fitting: list[_Fitting], until: float) -> tuple[list[Told], int]:
        """What each of them matches, or nearly, and how many there was no time for."""
        by_torch = {_memory(tensor) for tensor in given(self._past)}
        is_patient, told = until == math.inf, list[Told]()
        # What is new first: there the time is best spent.
        in_order = sorted(fitting, key=lambda it: not it.candidate.is_new)
        for done, it in enumerate(in_order):
            if time.perf_counter() > until:
                return told, len(in_order) - done
            for look in self._looks(it, by_torch, is_patient):
                if time.perf_counter() > until:
                    return told, len(in_order) - done
                if (found := look()) is not None:
                    told.append(found)
                    break
        return told, 0

    def _looks(self, it: _Fitting, by_torch: Container[int], is_patient: bool) -> Iterator[Callable[[], Told | None]]:
        """At the newest call that the candidate agrees with; if there is none, at the newest that it nearly does."""
        candidate, one = it.candidate, it.candidate.side
        if one is None or not says_something(one):
            return
        is_given = _memory(one.original) in by_torch
        fitting = [target for target in it.alike if may_be(one, target)]
        yield from (functools.partial(match_of, candidate, one, target, is_given) for target in fitting)
        if not candidate.is_new or is_given or any(is_made_from_output(one, target) for target in fitting):
            return  # what torch gave, or a view of it, is meant to be another thing
        if one.original.grad_fn is not None and one.original.grad_fn.name() == _OF_A_LAYER:
            return  # the output of a call that was only counted
        for target in fitting[:MAX_NEAR]:
            yield functools.partial(near_miss_of, candidate, one, target, functools.partial(self._is_slip, is_patient))

    def _is_slip(self, is_patient: bool, one: Side, target: Target) -> bool:
        return one.words not in self._multiples() and is_multiple_by_mistake(one, target, is_patient)

    def _outdated(self, candidates: list[Candidate], told: list[Told]) -> set[str]:
        known = [it for it in candidates if not it.is_new and it.name in self._near]
        near = [(it.name, self._near[it.name], it.side.original) for it in known if it.side is not None]
        return {
            name
            for name, key, value in near
            for it in told
            if not it.is_near and it.target.key == key and made_from(it.side.original, value)
        }


def _fitting(
    candidates: list[Candidate], targets: Mapping[torch.Size, list[Target]], is_patient: bool
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


def _is_step(near: Told, answers: list[Told]) -> bool:
    """Whether another new variable has what this one lacks: `pre = x @ w.T` before `answer = pre + b`."""
    return any(it.target.key == near.target.key or made_from(it.side.original, near.side.original) for it in answers)


def _memory(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()
