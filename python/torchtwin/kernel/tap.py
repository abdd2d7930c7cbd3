"""The tap: a stand-in for `torch.nn.functional.linear`, which every layer looks up when it is called.

Why this function and no other: docs/architecture.md, "The tap".
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterator
from sys import _getframe
from types import FrameType
from typing import Any, Protocol

import torch.nn.functional as functional
from torch import Tensor, is_anomaly_enabled
from torch._C import _get_tracing_state, _has_torch_function_unary
from torch.autograd.graph import Node
from torch.compiler import is_compiling, is_dynamo_compiling
from torch.jit._builtins import _register_builtin

from torchtwin.kernel.fastpath import FastPath
from torchtwin.kernel.standin import StandIn, called_from


class Observer(Protocol):
    """What the tap reports to. None of the methods may raise."""

    def returned(
        self, frame: FrameType, input: Tensor, weight: Tensor, bias: Tensor | None, output: Tensor
    ) -> None: ...

    def raised(self, frame: FrameType, input: object, weight: object, bias: object, error: Exception) -> None: ...

    def faulted(self, error: Exception) -> None:
        """The tap itself has failed."""


class _Elsewhere(threading.local):
    """Who hears of the calls that this thread makes, in place of the tap's own observer."""

    observer: Observer | None = None


_elsewhere = _Elsewhere()


@contextlib.contextmanager
def reporting_to(observer: Observer) -> Iterator[None]:
    """The calls that this thread makes meanwhile are reported to `observer` alone, whether anybody watches or not."""
    before, _elsewhere.observer = _elsewhere.observer, observer
    try:
        with _unwatched, contextlib.ExitStack() as closed:
            for watched in _kept:
                closed.enter_context(watched.fast.closed())
            yield
    finally:
        _elsewhere.observer = before


def is_reporting_elsewhere() -> bool:
    """Whether the calls that this thread makes are none of the watch's."""
    return _elsewhere.observer is not None


class _Nobody:
    def returned(self, *call: object) -> None: ...

    def raised(self, *call: object) -> None: ...

    def faulted(self, error: Exception) -> None: ...


class _Unwatched:
    """A tap for calls that are reported elsewhere, on while anybody needs it and nobody watches."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tap = Tap(_Nobody(), FastPath(deque()))
        self._users = 0

    def __enter__(self) -> None:
        with self._lock:
            self._users += 1
            if not _is_on():
                self._tap.put_on()

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                self._tap.take_off()


def _is_on() -> bool:
    linear: object = functional.linear
    return isinstance(linear, WatchedLinear) and linear.observing


class Tap:
    """Puts the stand-in on and takes it off again. Needs torch to be imported when it goes on."""

    def __init__(self, observer: Observer, fast: FastPath) -> None:
        self._observer = observer
        self._fast = fast
        self._watched: WatchedLinear | None = None

    def report_to(self, observer: Observer, fast: FastPath) -> None:
        """From now on, whether it is on or not; in the user's hands the stand-in stays the one that it is."""
        for known in _kept:
            if known.reports_to(self._observer):
                known.report_to(observer, fast)
        self._observer, self._fast = observer, fast

    @property
    def on(self) -> bool:
        return self._watched is not None and self._watched.observing

    def put_on(self) -> None:
        """Harmless when it is on already."""
        if self.on:
            return
        if self._watched is None or self._watched.original is not functional.linear:
            self._watched = made_for(functional.linear, self._observer, self._fast)
        self._watched.observing = True
        functional.linear = self._watched

    def take_off(self) -> None:
        """Leaves another's wrapper, put on after ours, where it is; ours then passes calls through unseen."""
        if self._watched is None or not self.on:
            return
        if functional.linear is self._watched:
            functional.linear = self._watched.original
        self._watched.observing = False


_unwatched = _Unwatched()
_kept: list[WatchedLinear] = []
"""Torch's table of builtins goes by `id`, so what was entered there must never make room for another object."""


def made_for(original: Callable[..., Any], observer: Observer, fast: FastPath) -> WatchedLinear:
    """A stand-in that `torch.jit.script` knows as the operator, also where user code holds on to it after the watch."""
    for known in _kept:
        if known.original is original and known.reports_to(observer):
            return known
    watched = WatchedLinear(original, observer, fast)
    _register_builtin(watched, "aten::linear")
    _kept.append(watched)
    return watched


class WatchedLinear(StandIn):
    """Calls `original`, and reports to `observer` while `observing`."""

    def __init__(self, original: Callable[..., Any], observer: Observer, fast: FastPath) -> None:
        super().__init__(original)
        self.report_to(observer, fast)

    def report_to(self, observer: Observer, fast: FastPath) -> None:
        # Another thread may be in a call: it finds a pattern only once all else is in place.
        self._observer = observer
        self._take = fast.take
        self.fast = fast
        self._pattern = fast.patterns.get

    def reports_to(self, observer: Observer) -> bool:
        return self._observer is observer

    def __call__(self, *operands: Any, **named: Any) -> Any:
        # Under torch.compile this is decided while tracing: no graph break, and nothing of the rest is traced.
        if is_dynamo_compiling():
            return self.original(*operands, **named)
        if _get_tracing_state() is not None:
            return called_from(_getframe(1), self.original, operands, named)
        try:
            output = self.original(*operands, **named)
        except Exception as error:
            self._report_failure(_getframe(1), operands, named, error)
            # A bare `raise` adds no entry for this frame: the user's traceback ends where it would without us.
            error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
            raise
        if named or len(operands) != 3:
            self._report(_getframe(1), operands, named, output)
            return output
        input, weight, bias = operands
        # From here to the return is what nearly every call takes: not a word more than it needs, nor a function call.
        pattern = self._pattern(id(weight))
        if pattern is not None and not self.fast.due:
            try:
                # Under a function mode a look at a shape would call the user's code.
                if (
                    not _has_torch_function_unary(input)
                    and _getframe(1).f_code is pattern.inner
                    and (frame := _getframe(pattern.depth)).f_lasti == pattern.instruction
                    and frame.f_code is pattern.code
                    and id(bias) == pattern.bias
                    and type(output) is Tensor
                    and output.dtype is pattern.dtype
                    and output.requires_grad is pattern.requires_grad
                    and input.requires_grad is pattern.input_requires_grad
                    and input.shape == pattern.shape
                    and output.numel() == pattern.elements
                    and (pattern.input_dtype is None or input.dtype is pattern.input_dtype)
                    and (pattern.device is None or output.get_device() == pattern.device)
                    and not (
                        pattern.requires_grad
                        and (weight.requires_grad is not pattern.weight_requires_grad or is_anomaly_enabled())
                    )
                ):
                    self._take(pattern.alike)
                    return output
            except Exception:  # no such frame, or a tensor without one shape: it is looked at whole
                pass
        self._report(_getframe(1), operands, named, output)
        return output

    def _report(self, frame: FrameType, operands: tuple[Any, ...], named: dict[str, Any], output: Any) -> None:
        observer = _elsewhere.observer or self._observer
        if not self.observing or is_compiling():
            return
        try:
            if is_anomaly_enabled():
                _take_from_anomaly_traceback(getattr(output, "grad_fn", None))
            input, weight, bias, *others = _arranged(operands, named)
            if not others and _are_tensors(input, weight, bias, output):
                observer.returned(frame, input, weight, bias, output)
            if not self.fast.is_counted and observer is self._observer:
                self.fast.missed()
        except Exception as error:
            observer.faulted(error)

    def _report_failure(
        self, frame: FrameType, operands: tuple[Any, ...], named: dict[str, Any], error: Exception
    ) -> None:
        observer = _elsewhere.observer or self._observer
        # By `torch.utils.checkpoint` a recomputation says that it has enough.
        if not self.observing or is_compiling() or type(error).__module__ == "torch.utils.checkpoint":
            return
        try:
            input, weight, bias, *_ = _arranged(operands, named)
            if not any(_stands_for_a_tensor(value) for value in (input, weight, bias)):
                observer.raised(frame, input, weight, bias, error)
        except Exception as fault:
            observer.faulted(fault)


def _take_from_anomaly_traceback(node: Node | None) -> None:
    """Anomaly detection notes with each node where it was made, for a person to read: there, too, no line of ours."""
    noted: Any = {} if node is None else node.metadata
    lines = noted.get("traceback_")
    if node is None or not lines or f'"{__file__}"' not in lines[-1]:
        return
    lines.pop()
    for source, _ in node.next_functions:
        _take_from_anomaly_traceback(source)


def _arranged(operands: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
    """Input, weight and bias, however they were passed, and after them what `F.linear` does not take."""
    given = dict(zip(("input", "weight", "bias"), operands, strict=False)) | named
    return (given.pop("input", None), given.pop("weight", None), given.pop("bias", None), *given)


def _are_tensors(input: object, weight: object, bias: object, output: object) -> bool:
    """Not the proxies of torch.fx and the like, for which the original has made whatever it makes."""
    operands = (input, weight, output) if bias is None else (input, weight, bias, output)
    return all(isinstance(operand, Tensor) for operand in operands)


def _stands_for_a_tensor(value: object) -> bool:
    return not isinstance(value, Tensor) and hasattr(type(value), "__torch_function__")
