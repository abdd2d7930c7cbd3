"""How one element of a recorded call's output came about, where its values did not travel with the call."""

from __future__ import annotations

from torch import Tensor

from torchtwin.kernel.past import Past
from torchtwin.kernel.quiet import quietly
from torchtwin.kernel.twin import twin
from torchtwin.kernel.values import number, numbers
from torchtwin.protocol import ElementRequest, ElementTerms, Number, Refused

MAX_TERMS = 100_000
"""Products that one element's answer may hold."""


@quietly
def element(past: Past, request: ElementRequest, names: dict[str, str]) -> ElementTerms | Refused:
    """How one element of the output came about. `names` are those of the operands."""
    if request.of != "output":
        return Refused("too_large", "This gradient was too large to travel with the call, and it is not kept.")
    call = past.get(request.call)
    if call is None:
        return Refused("unknown", f"call {request.call} is not among the recorded ones any more")
    held = {role: call.operand(role) for role in call.originals}
    for role, tensor in held.items():
        if tensor is None and role != "output":
            return Refused("gone", f"`{names[role]}` no longer exists as it was when the call was made")
    input, weight, bias = held.get("input"), held.get("weight"), held.get("bias")
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
