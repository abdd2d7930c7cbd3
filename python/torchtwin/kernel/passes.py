"""How many backward passes a parameter's `.grad` holds: a second one without `zero_grad` is right, and worth a word."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Variable
from torch.autograd.graph import Node
from torch.utils.hooks import RemovableHandle
from torch.utils.weak import WeakIdKeyDictionary

from torchtwin.kernel.backward import is_nested
from torchtwin.kernel.coverage import is_queued
from torchtwin.kernel.guard import Guard
from torchtwin.kernel.handles import Handles, alive
from torchtwin.kernel.identity import mark, same_view, version
from torchtwin.kernel.quiet import quietly
from torchtwin.kernel.view import NOWHERE

Note = Callable[[int, str, str], None]
"""Takes the call's id, the operand and the sentence."""


MAX_UNRECORDED = 2
"""So many passes without a recorded call are counted; then nobody looks until one is recorded again.

The node that accumulates outlives a step of training where the next forward begins before the last graph is dropped.
What `.grad` got meanwhile is told as other values that it held.
"""


class _Shares:
    """What the recorded calls that one backward has passed gave to one parameter. Lives as long as that backward."""

    def __init__(self) -> None:
        self.of: list[Arrival] = []
        self._are_known = True
        self._only: tuple[Tensor, Tensor, int] | None = None
        """One share alone: as autograd has it, as the parameter gets it, and how often it was changed in place."""
        self._sum: Tensor | None = None
        """Several are not kept but added up, in float64: a loop may have thousands."""
        self._magnitude: Tensor | None = None
        self._roundoff = 0.0

    def add(self, arrival: Arrival, gradient: Tensor, share: Tensor | None) -> None:
        self.of.append(arrival)
        if share is None or not self._are_known:
            self._are_known = False
            self.let_go()
        elif len(self.of) == 1:
            self._only = gradient, share, version(gradient)
            self._roundoff = torch.finfo(share.dtype).eps / 2
        else:
            self._add_up(share)

    def _add_up(self, share: Tensor) -> None:
        if self._only is not None:
            self._sum, self._magnitude = self._only[1].double(), self._only[1].double().abs()
            self._only = None
        assert self._sum is not None
        assert self._magnitude is not None
        self._sum, self._magnitude = self._sum + share, self._magnitude + share.abs()
        self._roundoff = max(self._roundoff, torch.finfo(share.dtype).eps / 2)

    def let_go(self) -> None:
        """Of the tensors."""
        self._only = self._sum = self._magnitude = None

    def differ_from(self, arrived: Tensor) -> bool | None:
        """Whether something else arrived than these, summed up in any order; null where that would have to be read."""
        if type(arrived) is not Tensor or arrived.layout != torch.strided:
            return False
        if self._only is not None:
            gradient, share, changes = self._only
            if share.shape != arrived.shape:
                return False
            if version(gradient) != changes:
                return True
            if same_view(share, arrived):
                return False
            return None if is_queued(arrived) else not _equal(share.to(arrived.dtype), arrived)
        if self._sum is None or self._magnitude is None or self._sum.shape != arrived.shape:
            return False
        if is_queued(arrived):
            return None
        info = torch.finfo(arrived.dtype)
        roundoff = max(self._roundoff, info.eps / 2)
        bound = (len(self.of) + 1) * 4 * (roundoff * self._magnitude + info.tiny)
        # Where a partial sum may have passed the largest number, anything may have arrived.
        is_explained = ((arrived.double() - self._sum).abs() <= bound) | ~(self._magnitude < info.max)
        return not bool(is_explained.all())


@dataclass
class _Accumulation:
    """What is known of one parameter's `.grad`. Holds no tensor."""

    handle: RemovableHandle | None = None
    """Of the hook on the parameter's present `AccumulateGrad` node, which lives as long as a graph that needs it."""
    passes: int = 0
    known: bool = True
    """Whether all that `.grad` holds was seen arriving."""
    nested: bool = False
    """Whether some of it came from a backward within a backward, which tells nothing of how many passes there were."""
    unread: bool = False
    """Whether `.grad` was changed between two passes on a device: to tell zeros from others would wait for it."""
    hooked: bool = False
    """Whether a hook of the user's runs on `.grad` after each accumulation."""
    unrecorded: int = 0
    """How many passes came one after the other without a share of a recorded call."""
    left: tuple[int, int, int] | None = None
    """The `id`, version and memory of `.grad` when the last backward ended."""
    arriving: weakref.WeakValueDictionary[int, _Shares] = field(default_factory=weakref.WeakValueDictionary)
    """What is on its way, by the backward that carries it, which alone keeps it alive."""
    calls: list[int] | None = field(default_factory=list)
    """The recorded calls whose shares are all that `.grad` holds, one for each pass; null where it holds more."""


@dataclass(frozen=True)
class Arrival:
    """One call's share of one parameter's gradient."""

    call: int
    operand: str
    gradient: str
    """Where it is found: `fc.weight.grad`."""
    into: _Accumulation

    def expect(self, gradient: Tensor, share: Tensor | None) -> None:
        """The backward that is running has passed the call, so its share is about to be accumulated.

        `gradient` is what the call's node gave, `share` the same as the parameter gets it; null where that is unknown.
        """
        task = torch._C._current_graph_task_id()
        shares = self.into.arriving.get(task)
        if shares is None:
            self.into.arriving[task] = shares = _Shares()
            # Its callbacks are gone with the backward, also where it raises or accumulates nothing.
            Variable._execution_engine.queue_callback(shares.let_go)
        shares.add(self, gradient, share)


class Passes:
    """Counts, from prehooks on `AccumulateGrad` nodes: they run once a backward, before `.grad` is added to."""

    def __init__(self, guard: Guard, note: Note) -> None:
        self._arrived: Callable[..., None] = guard(quietly(self._count_and_tell))
        self._remember = guard(_remember)
        self._note = note
        self._handles = Handles()
        self._of: Any = WeakIdKeyDictionary()

    def watch(self, node: Node, call: int, operand: str, gradient: str) -> Arrival:
        """Counts what arrives at `node` (an `AccumulateGrad`)."""
        parameter: Tensor = node.variable  # type: ignore[attr-defined]
        state = self._of.setdefault(parameter, _Accumulation())
        if state.handle is None or not alive(state.handle):
            state.handle = node.register_prehook(self._hook(weakref.ref(parameter), state))
            self._handles.add(state.handle)
        return Arrival(call, operand, gradient, state)

    def contributions(self, parameter: Tensor) -> list[int]:
        """The calls whose shares `.grad` holds; none where something else may have changed it."""
        state: _Accumulation | None = self._of.get(parameter)
        if state is None or not state.known or state.nested or state.unread or state.left != _mark(parameter.grad):
            return []
        return list(state.calls or ())

    def stop(self) -> None:
        """Takes the hooks off and forgets the counts."""
        self._handles.remove()
        self._of = WeakIdKeyDictionary()

    def _hook(self, parameter: weakref.ref[Tensor], state: _Accumulation) -> Callable[[Any], None]:
        def prehook(gradients: tuple[Tensor | None, ...]) -> None:
            if not torch.compiler.is_compiling():  # compiled autograd traces through hooks; it shall find none of this
                self._arrived(parameter, state, gradients)

        return prehook

    def _count_and_tell(
        self, parameter: weakref.ref[Tensor], state: _Accumulation, gradients: tuple[Tensor | None, ...]
    ) -> None:
        target = parameter()
        if target is not None:
            _count(state, target)
            self._tell(state, gradients[0])
            # What a callback raises would come out of the user's own `backward()`.
            Variable._execution_engine.queue_callback(functools.partial(self._remember, state, parameter))

    def _tell(self, state: _Accumulation, arrived: Tensor | None) -> None:
        shares = state.arriving.pop(torch._C._current_graph_task_id(), None)
        if shares is None:
            state.calls = None
            state.unrecorded += 1
            if state.unrecorded >= MAX_UNRECORDED and state.handle is not None:
                state.handle.remove()
                state.handle = None
            return
        state.unrecorded = 0
        differs = False if arrived is None else shares.differ_from(arrived)
        shares.let_go()
        state.calls = (
            None if differs is not False or state.calls is None else [*state.calls, *(it.call for it in shares.of)]
        )
        for arrival in shares.of:
            for sentence in _sentences(state, arrival.gradient, len(shares.of), differs):
                self._note(arrival.call, arrival.operand, sentence)


def _count(state: _Accumulation, parameter: Tensor) -> None:
    """One more pass arrives; `.grad` still holds what it held before."""
    nested = is_nested()
    state.hooked = bool(getattr(parameter, "_post_accumulate_grad_hooks", None))
    is_read = parameter.grad is None or not is_queued(parameter.grad)
    if is_read and _is_empty(parameter.grad):
        state.calls = []
        state.passes, state.known, state.nested, state.unread = 1, True, nested, False
        return
    state.unread = state.unread or (not is_read and state.left != _mark(parameter.grad))
    state.nested = state.nested or nested
    state.known = state.known and state.passes > 0 and state.left == _mark(parameter.grad)
    state.passes += 1


def _remember(state: _Accumulation, parameter: weakref.ref[Tensor]) -> None:
    """At the end of a backward, when `.grad` holds what arrived."""
    target = parameter()
    state.left = None if target is None else _mark(target.grad)


def _mark(gradient: Tensor | None) -> tuple[int, int, int] | None:
    return None if gradient is None or gradient.is_inference() else (id(gradient), *mark(gradient))


def _is_empty(gradient: Tensor | None) -> bool:
    if gradient is None:
        return True
    if gradient.layout != torch.strided:
        return False
    return not bool(gradient.any())


def _equal(a: Tensor, b: Tensor) -> bool:
    """Whether they are the same numbers; NaN is the same as NaN."""
    if torch.equal(a, b):
        return True
    return bool(((a == b) | (a.isnan() & b.isnan())).all())


def _sentences(state: _Accumulation, gradient: str, calls: int, differs: bool | None) -> Iterator[str]:
    where = gradient if gradient == NOWHERE else f"`{gradient}`"
    shares = f"the shares of {calls} recorded calls" if calls > 1 else "this call's share"
    if differs:
        yield f"{where} got something else than {shares}: another use of it, or a hook, changed what arrived"
    if state.nested or state.unread:
        return
    if not state.known:
        yield f"{where} held other values before this backward, which were added to"
    elif state.passes > 1 and state.hooked:
        yield f"{where} was added to by {state.passes} backward passes, and a hook of yours runs after each"
    elif state.passes > 1:
        yield f"{where} holds {state.passes} backward passes"
    elif state.hooked:
        yield f"{where} was added to by this backward pass, and a hook of yours runs after it"
    elif calls > 1 and differs is False:
        yield f"{where} holds {shares}"
