"""How many backward passes a parameter's `.grad` holds: a second one without `zero_grad` is right, and worth a word."""

from __future__ import annotations

import functools
import sys
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Variable
from torch.autograd.graph import Node, _engine_run_backward
from torch.utils.checkpoint import CheckpointFunction
from torch.utils.hooks import RemovableHandle
from torch.utils.weak import WeakIdKeyDictionary

from torchtwin.kernel.guard import Guard
from torchtwin.kernel.handles import Handles, alive
from torchtwin.kernel.identity import mark
from torchtwin.kernel.quiet import quietly
from torchtwin.kernel.view import NOWHERE

Note = Callable[[int, str, str], None]
"""Takes the call's id, the operand and the sentence."""


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
    hooked: bool = False
    """Whether a hook of the user's runs on `.grad` after each accumulation."""
    left: tuple[int, int, int] | None = None
    """The `id`, version and memory of `.grad` when the last backward ended."""
    arriving: list[tuple[int, Arrival]] = field(default_factory=list)
    """The calls whose shares are on their way, each with the backward that carries it."""
    calls: list[int] = field(default_factory=list)
    """The recorded calls whose shares `.grad` holds, in order; a call stands there once for each pass."""


@dataclass(frozen=True)
class Arrival:
    """One call's share of one parameter's gradient."""

    call: int
    operand: str
    gradient: str
    """Where it is found: `fc.weight.grad`."""
    into: _Accumulation

    def expect(self) -> None:
        """The backward that is running has passed the call, so its share is about to be accumulated."""
        task, arriving = torch._C._current_graph_task_id(), self.into.arriving
        if arriving and arriving[-1][0] != task:  # that backward accumulated nothing here
            arriving.clear()
        arriving.append((task, self))


class Passes:
    """Counts, from prehooks on `AccumulateGrad` nodes: they run once a backward, before `.grad` is added to."""

    def __init__(self, guard: Guard, note: Note) -> None:
        self._guard = guard
        self._note = note
        self._handles = Handles()
        self._of: Any = WeakIdKeyDictionary()

    def watch(self, node: Node, call: int, operand: str, gradient: str) -> Arrival:
        """Counts what arrives at `node` (an `AccumulateGrad`)."""
        parameter: Tensor = node.variable  # type: ignore[attr-defined]
        state = self._of.setdefault(parameter, _Accumulation())
        if state.handle is None or not alive(state.handle):
            state.handle = node.register_prehook(self._hook(weakref.ref(parameter)))
            self._handles.add(state.handle)
        return Arrival(call, operand, gradient, state)

    def contributions(self, parameter: Tensor) -> list[int]:
        """The calls whose shares `.grad` holds; none where something else may have changed it."""
        state: _Accumulation | None = self._of.get(parameter)
        if state is None or not state.known or state.nested or state.left != _mark(parameter.grad):
            return []
        return list(state.calls)

    def stop(self) -> None:
        """Takes the hooks off and forgets the counts."""
        self._handles.remove()
        self._of = WeakIdKeyDictionary()

    def _hook(self, parameter: weakref.ref[Tensor]) -> Callable[[Any], None]:
        @self._guard
        @quietly
        def hook(gradients: object) -> None:
            target = parameter()
            state = self._of.get(target) if target is not None else None
            if target is not None and state is not None:
                _count(state, target)
                self._tell(state)
                Variable._execution_engine.queue_callback(functools.partial(_remember, state, parameter))

        return _unless_compiling(hook)

    def _tell(self, state: _Accumulation) -> None:
        task = torch._C._current_graph_task_id()
        arrived = [arrival for of_task, arrival in state.arriving if of_task == task]
        state.arriving.clear()
        state.calls.extend(arrival.call for arrival in arrived)
        for arrival in arrived:
            if sentence := _sentence(state, arrival.gradient, len(arrived)):
                self._note(arrival.call, arrival.operand, sentence)


def _count(state: _Accumulation, parameter: Tensor) -> None:
    """One more pass arrives; `.grad` still holds what it held before."""
    is_nested = _is_nested()
    state.hooked = bool(getattr(parameter, "_post_accumulate_grad_hooks", None))
    if _is_empty(parameter.grad):
        state.calls.clear()
        state.passes, state.known, state.nested = 1, True, is_nested
        return
    state.nested = state.nested or is_nested
    state.known = state.known and state.passes > 0 and state.left == _mark(parameter.grad)
    state.passes += 1


def _is_nested() -> bool:
    """Whether this backward runs within another, as a reentrant checkpoint's does."""
    frame: FrameType | None = sys._getframe(1)
    running = 0
    while frame is not None:
        running += frame.f_code is _engine_run_backward.__code__ or frame.f_code is CheckpointFunction.backward.__code__
        frame = frame.f_back
    return running > 1


def _remember(state: _Accumulation, parameter: weakref.ref[Tensor]) -> None:
    """At the end of a backward, when `.grad` holds what arrived."""
    target = parameter()
    state.left = None if target is None else _mark(target.grad)


def _mark(gradient: Tensor | None) -> tuple[int, int, int] | None:
    return None if gradient is None or gradient.is_inference() else (id(gradient), *mark(gradient))


def _unless_compiling(hook: Callable[[Any], None]) -> Callable[[Any], None]:
    """Compiled autograd traces through hooks; it shall find none of this."""

    def prehook(gradients: object) -> None:
        if not torch.compiler.is_compiling():
            hook(gradients)

    return prehook


def _is_empty(gradient: Tensor | None) -> bool:
    if gradient is None:
        return True
    if gradient.layout != torch.strided:
        return False
    return not bool(gradient.any())


def _sentence(state: _Accumulation, gradient: str, calls: int) -> str | None:
    where = gradient if gradient == NOWHERE else f"`{gradient}`"
    if state.nested:
        return None
    if not state.known:
        return f"{where} held other values before this backward, which were added to"
    if state.passes > 1 and state.hooked:
        return f"{where} was added to by {state.passes} backward passes, and a hook of yours runs after each"
    if state.passes > 1:
        return f"{where} holds {state.passes} backward passes"
    return f"{where} holds the shares of {calls} recorded calls" if calls > 1 else None
