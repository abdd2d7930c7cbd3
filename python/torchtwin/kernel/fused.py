"""Counts the runs of torch's fused fast paths, which compute an attention or an encoder layer without `F.linear`.

`TransformerEncoderLayer` and `MultiheadAttention` take them in evaluation without gradients. They are left to run: to
put them out of the way, as a hook or a mode does, would change the user's numbers and time.
"""

from __future__ import annotations

import sys
import threading
import weakref
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any

import msgspec
import torch
from torch import Tensor, nn
from torch._C import _get_tracing_state
from torch.compiler import is_compiling
from torch.jit._builtins import _register_builtin

from torchtwin.kernel.kinds import is_module
from torchtwin.kernel.standin import StandIn, called_from
from torchtwin.kernel.tap import is_reporting_elsewhere

LINEARS = {"_transformer_encoder_layer_fwd": 4, "_native_multi_head_attention": 2}
"""What torch's layers look up in `torch` when they run, and how many calls of `F.linear` each replaces."""
MAX_MODULES = 1_000
"""Modules whose runs are counted apart; those of the others are counted by their classes."""
_LAYERS = (nn.TransformerEncoderLayer.forward.__code__, nn.MultiheadAttention.forward.__code__)


class _Runs(msgspec.Struct):
    module: weakref.ref[nn.Module]
    kind: str
    """The name of its class."""
    calls: int = 0


class FusedRuns:
    """How many linear calls ran within fused ones, by module. Needs torch."""

    def __init__(self, caught: Callable[[BaseException], None]) -> None:
        self._caught = caught
        self._lock = threading.Lock()
        self._by_module: dict[int, _Runs] = {}
        self._by_kind: Counter[str] = Counter()
        self._stand_ins = [_Fused(name, self._ran) for name in LINEARS]

    def forked(self) -> None:
        """In the child of a fork: a thread of the parent's may have held the lock."""
        self._lock = threading.Lock()

    def put_on(self) -> None:
        """Harmless when it is on already."""
        for it in self._stand_ins:
            it.put_on()

    def take_off(self) -> None:
        for it in self._stand_ins:
            it.take_off()

    def clear(self) -> None:
        with self._lock:
            self._by_module.clear()
            self._by_kind.clear()

    def counts(self, paths: dict[int, str]) -> Counter[str]:
        """Calls by the words for the module, by its class where there are none. `paths`: words by a module's `id`."""
        with self._lock:
            counts = Counter(self._by_kind)
            for id, runs in self._by_module.items():
                counts[paths.get(id, runs.kind) if runs.module() is not None else runs.kind] += runs.calls
            return counts

    def _ran(self, frame: FrameType, name: str) -> None:
        try:
            self._count(_layer(frame), name)
        except Exception as error:
            self._caught(error)

    def _count(self, module: nn.Module | None, name: str) -> None:
        calls = LINEARS[name]
        with self._lock:
            if module is None:  # called by other code: by the user's, or by a graph that was made of a layer
                self._by_kind[f"torch.{name}"] += calls
                return
            known = self._by_module.get(id(module))
            if known is None or known.module() is not module:
                known = self._enter(module)
            if known is None:
                self._by_kind[type(module).__name__] += calls
            else:
                known.calls += calls

    def _enter(self, module: nn.Module) -> _Runs | None:
        """Makes room for `module`, where there is any; what its place counted before goes by the class."""
        gone = [id for id, runs in self._by_module.items() if runs.module() is None]
        for runs in map(self._by_module.pop, gone):
            self._by_kind[runs.kind] += runs.calls
        if len(self._by_module) >= MAX_MODULES:
            return None
        entered = self._by_module[id(module)] = _Runs(weakref.ref(module), type(module).__name__)
        return entered


def _layer(frame: FrameType) -> nn.Module | None:
    """The layer that took the fast path: its `forward` is torch's own and about to end, so nothing is kept by this."""
    module = frame.f_locals.get("self") if frame.f_code in _LAYERS else None
    return module if is_module(module) else None


class _Fused(StandIn):
    """In place of one function in `torch`: steps aside as the tap does."""

    def __init__(self, name: str, ran: Callable[[FrameType, str], None]) -> None:
        found = getattr(torch, name)
        super().__init__(found.original if isinstance(found, _Fused) else found)
        self._name = name
        self._ran = ran
        _register_builtin(self, f"aten::{name}")  # so that `torch.jit.script` knows it
        _kept.append(self)

    def put_on(self) -> None:
        found = getattr(torch, self._name)
        if found is self.original:
            setattr(torch, self._name, self)
        self.observing = getattr(torch, self._name) is self

    def take_off(self) -> None:
        """Leaves another's wrapper, put on after ours, where it is."""
        if getattr(torch, self._name) is self:
            setattr(torch, self._name, self.original)
        self.observing = False

    def __call__(self, *operands: Any, **named: Any) -> Any:
        if is_compiling() or not self.observing:
            return self.original(*operands, **named)
        if _get_tracing_state() is not None:
            return called_from(sys._getframe(1), self.original, operands, named)
        try:
            output = self.original(*operands, **named)
        except Exception as error:
            # A bare `raise` adds no entry for this frame: the user's traceback ends where it would without us.
            error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
            raise
        if (
            operands and type(operands[0]) is Tensor and not is_reporting_elsewhere()
        ):  # nothing was computed of a tracer's
            self._ran(sys._getframe(1), self._name)
        return output


_kept: list[_Fused] = []
"""Torch's table of builtins goes by `id`, so what was entered there must never make room for another object."""
