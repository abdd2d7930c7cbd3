"""Calls that raised, on their way to the recorder: explained when one is the first of its kind, told each time."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from types import CodeType, FrameType
from typing import NamedTuple

import msgspec
from torch import Tensor

from torchtwin.kernel import callsite, failure
from torchtwin.kernel.cells import Cells
from torchtwin.kernel.identity import has_storage
from torchtwin.kernel.naming import Namer
from torchtwin.kernel.proof.judge import unchecked
from torchtwin.kernel.rank import rank
from torchtwin.kernel.told import attempt, attempted, gradient_names, operands_of, shapes
from torchtwin.protocol import Call, GradientFormulas, Gradients, Values

MAX_KNOWN = 1000


class _Known(NamedTuple):
    told: Call
    note: str | None
    """What was added to the exception."""
    codes: list[CodeType]
    """Kept, since their `id`s are part of the key."""


class Failures:
    """To explain one takes milliseconds, which a loop that tries again and again should pay but once."""

    def __init__(self, namer: Namer, cells: Cells, caught: Callable[[Exception], None]) -> None:
        """`caught` takes a fault of ours that costs no more than a suggestion."""
        self._namer = namer
        self._cells = cells
        self._caught = caught
        self._known: dict[Hashable, _Known] = {}

    def forget(self) -> None:
        """Names may mean something else now."""
        self._known.clear()

    def told(self, frame: FrameType, input: object, weight: object, bias: object, error: Exception) -> Call:
        """The call, which has no id yet; `error` gets a note where that says more than its own message."""
        frames = callsite.until_user(frame)
        place = tuple((id(it.f_code), it.f_lasti) for it in frames)
        operands = [_looks(it) for it in (input, weight, bias)]
        key = None if None in operands else (place, *operands, id(weight), id(bias), type(error), str(error))
        known = self._known.get(key) if key is not None else None
        if known is None:
            known = self._explained(frame, input, weight, bias, error, [it.f_code for it in frames])
            if len(self._known) >= MAX_KNOWN:
                self.forget()
            if key is not None:
                self._known[key] = known
        if known.note is not None:
            BaseException.add_note(error, known.note)
        return msgspec.structs.replace(known.told, time=time.time(), rank=rank())

    def _explained(
        self, frame: FrameType, input: object, weight: object, bias: object, error: Exception, codes: list[CodeType]
    ) -> _Known:
        caller = callsite.caller(frame)
        names = self._namer.names(caller, input, weight, bias)
        explained = failure.explain(attempt(caller, names, input, weight, bias), error, self._caught)
        text = attempted(names, input, weight, bias)
        operands = operands_of(names, input, weight, bias, None)
        told = Call(
            id=0,
            name=names.call,
            expression=text,
            site=self._cells.site(caller.text),
            operands=operands,
            forward=unchecked("the call raised"),
            gradients=Gradients(),
            gradient_formulas=GradientFormulas("", None, ""),
            gradient_names=gradient_names(names, bias),
            error=explained,
            values=Values(),
            time=0.0,
        )
        note = failure.note(explained, text, shapes(operands)) if failure.says_more(explained) else None
        return _Known(told, note, codes)


def _looks(operand: object) -> Hashable:
    """All that an explanation says of an operand beside its names; null where it may say more, as of a list."""
    if operand is None:
        return "none"
    if not isinstance(operand, Tensor) or not has_storage(operand):
        return None
    return operand.shape, operand.dtype, operand.device, operand.requires_grad
