"""The operands of recorded calls, held weakly, for questions that need values which did not travel."""

from __future__ import annotations

import builtins
import weakref
from collections import OrderedDict
from dataclasses import dataclass

from torch import Tensor

from torchtwin.kernel.identity import mark
from torchtwin.kernel.quiet import quietly
from torchtwin.kernel.twin import twin
from torchtwin.kernel.values import number, numbers
from torchtwin.protocol import ElementRequest, ElementTerms, Number, Refused

MAX_TERMS = 100_000
"""Products that one element's answer may hold."""


@dataclass(frozen=True)
class _Held:
    """A tensor, and what tells whether it still is what it was when the call was made."""

    tensor: weakref.ref[Tensor]
    mark: tuple[int, int]

    def get(self) -> Tensor | None:
        """The tensor as it was; null when it is gone or was changed in place since."""
        tensor = self.tensor()
        return tensor if tensor is not None and mark(tensor) == self.mark else None


class Live:
    """The operands of the last `max_calls` calls."""

    def __init__(self, max_calls: int) -> None:
        self._max_calls = max_calls
        self._calls: OrderedDict[int, dict[str, _Held]] = OrderedDict()
        self._outputs: dict[int, tuple[weakref.ref[Tensor], str]] = {}

    def hold(self, id: int, operands: dict[str, Tensor | None], text: str | None) -> None:
        """Remembers a call's operands; `text` is the source of the call."""
        self._calls[id] = {role: _Held(weakref.ref(t), mark(t)) for role, t in operands.items() if t is not None}
        output = operands.get("output")
        if output is not None and text is not None:
            self._outputs[id] = (weakref.ref(output), text)
        if len(self._calls) > self._max_calls:
            oldest, _ = self._calls.popitem(last=False)
            self._outputs.pop(oldest, None)

    def clear(self) -> None:
        self._calls.clear()
        self._outputs.clear()

    def outputs(self) -> dict[int, str]:
        """The source text of the call that returned a tensor, by the `id` of each tensor that still exists."""
        alive = {id: (ref, text) for id, (ref, text) in self._outputs.items() if ref() is not None}
        self._outputs = alive
        return {builtins.id(ref()): text for ref, text in alive.values()}

    @quietly
    def element(self, request: ElementRequest, names: dict[str, str]) -> ElementTerms | Refused:
        """How one element of the output came about. `names` are those of the operands."""
        if request.of != "output":
            return Refused("too_large", "This gradient was too large to travel with the call, and it is not kept.")
        held = {role: tensor.get() for role, tensor in self._calls.get(request.call, {}).items()}
        input, weight, bias = held.get("input"), held.get("weight"), held.get("bias")
        for role, tensor in held.items():
            if tensor is None and role != "output":
                return Refused("gone", f"`{names[role]}` no longer exists as it was when the call was made")
        if input is None or weight is None:
            return Refused("unknown", f"call {request.call} is not among the recorded ones any more")
        return _terms(request.index, input, weight, bias, held.get("output"), names)


def _terms(
    index: list[int], input: Tensor, weight: Tensor, bias: Tensor | None, output: Tensor | None, names: dict[str, str]
) -> ElementTerms | Refused:
    shape = [*input.shape[:-1], *([weight.shape[0]] if weight.dim() > 1 else [])]
    if len(index) != len(shape) or not all(0 <= i < n for i, n in zip(index, shape, strict=True)):
        return Refused("invalid", f"{index} is not an index into shape {shape}")
    if input.shape[-1] > MAX_TERMS:
        return Refused("invalid", f"{input.shape[-1]:,} products are too many to show")
    used = twin(input, weight, bias, input if output is None else output)
    batch = tuple(index[: input.dim() - 1])
    column = index[-1] if weight.dim() > 1 else None
    return ElementTerms(
        left=numbers(used.input[batch]),
        right=numbers(used.weight if column is None else used.weight[column]),
        left_name=_indexed(names["input"], batch),
        right_name=_indexed(names["weight"], () if column is None else (column,)),
        bias=_bias(used.bias, index, shape),
        bias_name=None if bias is None else _indexed(names["bias"], tuple(index)[-bias.dim() :] if bias.dim() else ()),
        layer=None if output is None else number(float(output.detach()[tuple(index)])),
    )


def _bias(bias: Tensor | None, index: list[int], shape: list[int]) -> Number | None:
    if bias is None:
        return None
    full = bias.reshape(shape) if bias.dim() > len(shape) else bias.broadcast_to(shape)
    return number(float(full[tuple(index)]))


def _indexed(name: str, index: tuple[int, ...]) -> str:
    return f"{name}[{', '.join(map(str, index))}]" if index else name
