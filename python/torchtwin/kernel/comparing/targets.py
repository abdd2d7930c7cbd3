"""Outputs and gradients of recent calls, that variables are held against."""

from __future__ import annotations

import functools
import itertools
from collections import defaultdict
from collections.abc import Iterator

import torch
from torch import Tensor

from torchtwin.kernel.comparing.origin import Origin, Tracer
from torchtwin.kernel.identity import has_storage
from torchtwin.kernel.past import Past, PastCall, Role
from torchtwin.kernel.proof.enclosure import Enclosure

MAX_CALLS = 50
"""The newest calls that variables are held against."""
MAX_WORK = 10**6
"""Multiply-adds of a call that a variable is held against, unless somebody waits for the answer."""
ROLES: tuple[Role, ...] = ("output", "weight", "bias", "input")


class Target:
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


class Targets:
    """Knows which there were after the last cell."""

    def __init__(self, past: Past, tracer: Tracer) -> None:
        self._past = past
        self._tracer = tracer
        self._seen: set[tuple[int, Role, int]] = set()

    def forget(self) -> None:
        """Whatever comes is new."""
        self._seen.clear()

    def remember(self, targets: dict[torch.Size, list[Target]]) -> None:
        """That these are not new any more."""
        self._seen = {it.state for alike in targets.values() for it in alike}

    def by_shape(self) -> dict[torch.Size, list[Target]]:
        """The newest call first."""
        found: dict[torch.Size, list[Target]] = defaultdict(list)
        for call in itertools.islice(reversed(self._past), MAX_CALLS):
            for role in ROLES:
                value = call.copies.get("output") if role == "output" else _share(call, role)
                if value is not None:
                    target = Target(call, role, value, self._tracer)
                    target.is_new = target.state not in self._seen
                    found[value.shape].append(target)
        return found


def given(past: Past) -> Iterator[Tensor]:
    """What torch itself computed: the outputs of calls, and what autograd accumulated."""
    for call in itertools.islice(reversed(past), MAX_CALLS):
        for tensor in (call.original("output"), *gradients(call)):
            if tensor is not None and has_storage(tensor):
                yield tensor


def gradients(call: PastCall) -> Iterator[Tensor]:
    for role in ROLES:
        tensor = call.original(role)
        if tensor is not None and (tensor.is_leaf or tensor.retains_grad) and tensor.grad is not None:
            yield tensor.grad


def _share(call: PastCall, role: Role) -> Tensor | None:
    return call.passes[-1].shares.get(role) if call.passes else None
