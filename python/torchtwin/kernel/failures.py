"""Calls that raised, on their way to the recorder: explained when one is the first of its kind, told each time."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Hashable
from types import CodeType, FrameType
from typing import NamedTuple

import msgspec
from torch import Tensor

from torchtwin.kernel import callsite, failure
from torchtwin.kernel.cells import Cells
from torchtwin.kernel.forms import holds, leading
from torchtwin.kernel.identity import has_storage
from torchtwin.kernel.naming import Namer, Names
from torchtwin.kernel.proof.judge import unchecked
from torchtwin.kernel.rank import rank
from torchtwin.kernel.told import attempt, attempted, gradient_names, operands_of, shapes
from torchtwin.protocol import Call, GradientFormulas, Gradients, Values

MAX_KNOWN = 1000


class _Operands(NamedTuple):
    """Of a call that raised; tensors, where it is one of a kind."""

    input: Tensor
    weight: Tensor
    bias: Tensor | None


class _Explained(NamedTuple):
    told: Call
    note: str | None
    """What was added to the exception."""
    names: Names
    leads: dict[str, Hashable]
    """What the names led to."""
    weight: weakref.ref[Tensor] | None
    """Null where the operands are no plain tensors."""
    codes: list[CodeType]
    """Kept, since their `id`s are part of the key."""


class Failures:
    """To explain one takes milliseconds, which a loop that tries again and again should pay but once."""

    def __init__(self, namer: Namer, cells: Cells, caught: Callable[[Exception], None]) -> None:
        """`caught` takes a fault of ours that costs no more than a suggestion."""
        self._namer = namer
        self._cells = cells
        self._caught = caught
        self._known: dict[Hashable, _Explained] = {}

    def forget(self) -> None:
        """Names may mean something else now."""
        self._known.clear()

    def told(self, frame: FrameType, input: object, weight: object, bias: object, error: Exception) -> Call:
        """The call, which has no id yet; `error` gets a note where that says more than its own message."""
        *_, user = frames = callsite.until_user(frame)
        kind = _kind(frames, input, weight, bias, error)
        operands = _Operands(input, weight, bias)  # type: ignore[arg-type]
        known = None if kind is None else self._known.get(kind)
        if known is None or not _is_of(known, user, operands):
            known = self._explained(frame, operands, error, [it.f_code for it in frames])
            if len(self._known) >= MAX_KNOWN:
                self.forget()
            if kind is not None:
                self._known[kind] = known
        if known.note is not None:
            BaseException.add_note(error, known.note)
        return msgspec.structs.replace(known.told, time=time.time(), rank=rank())

    def _explained(self, frame: FrameType, operands: _Operands, error: Exception, codes: list[CodeType]) -> _Explained:
        caller = callsite.caller(frame)
        names = self._namer.names(caller, *operands)
        explained = failure.explain(attempt(caller, names, *operands), error, self._caught)
        text = attempted(names, *operands)
        shown = operands_of(names, *operands, None)
        told = Call(
            id=0,
            name=names.call,
            expression=text,
            site=self._cells.site(caller.text),
            operands=shown,
            forward=unchecked("the call raised"),
            gradients=Gradients(),
            gradient_formulas=GradientFormulas("", None, ""),
            gradient_names=gradient_names(names, operands.bias),
            error=explained,
            values=Values(),
            time=0.0,
        )
        note = failure.note(explained, text, shapes(shown)) if failure.says_more(explained) else None
        leads = leading(names, caller.frame, operands)
        weight = weakref.ref(operands.weight) if isinstance(operands.weight, Tensor) else None
        return _Explained(told, note, names, leads, weight, codes)


def _is_of(known: _Explained, user: FrameType, operands: _Operands) -> bool:
    """Whether it is the same layer, and the names mean what they meant."""
    is_same = known.weight is not None and known.weight() is operands.weight
    return is_same and holds(known.names, known.leads, user, operands)


def _kind(frames: list[FrameType], input: object, weight: object, bias: object, error: Exception) -> Hashable:
    """All that an explanation goes by beside the names; null where it may go by more, as by what is in a list."""
    place = tuple((id(it.f_code), it.f_lasti) for it in frames)
    looks = [_looks(it) for it in (input, weight, bias)]
    try:
        return None if None in looks else (place, *looks, id(weight), type(error), str(error))
    except Exception:  # the user's own class, which can't describe itself
        return None


def _looks(operand: object) -> Hashable:
    if operand is None:
        return "none"
    if not isinstance(operand, Tensor) or not has_storage(operand):
        return None
    return operand.shape, operand.dtype, operand.device, operand.requires_grad
