"""How a call is told: what its record says of its operands, and what the checks of its gradients need to know."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from torchtwin.kernel.callsite import Caller
from torchtwin.kernel.describe import operand, transposed
from torchtwin.kernel.fitting import Attempt
from torchtwin.kernel.gradient import Watched
from torchtwin.kernel.naming import Names
from torchtwin.kernel.twin import expression
from torchtwin.protocol import GradientNames, Operand, Operands


def gradient_names(names: Names, bias: object) -> GradientNames:
    where = names.gradients
    return GradientNames(where["weight"], None if bias is None else where["bias"], where["input"])


def watched(id: int, names: Names, operands: dict[str, Tensor | None]) -> Watched:
    shapes = {role: None if tensor is None else tensor.shape for role, tensor in operands.items()}
    return Watched(
        id=id,
        shapes=shapes,
        names={"input": names.input, "weight": names.weight_itself, "bias": names.bias_itself},
        gradients=names.gradients,
        requires_grad={role: tensor is not None and tensor.requires_grad for role, tensor in operands.items()},
    )


def operands_of(names: Names, input: object, weight: object, bias: object, output: object) -> Operands:
    of_weight = _operand(names.weight, weight)
    return Operands(
        input=_operand(names.input, input),
        weight=of_weight,
        weight_t=None if of_weight is None else transposed(of_weight),
        bias=_operand(names.bias, bias),
        output=_operand(names.output, output),
    )


def _operand(name: str, value: object) -> Operand | None:
    is_array = (type(value).__module__, type(value).__qualname__) == ("numpy", "ndarray")
    return operand(name, value) if isinstance(value, Tensor) or is_array else None


def attempted(names: Names, input: object, weight: object, bias: object) -> str:
    if isinstance(input, Tensor) and isinstance(weight, Tensor):
        return expression(names, input, weight, bias if isinstance(bias, Tensor) else None, None)
    return f"{names.input_text} @ {names.weight}.T" + (f" + {names.bias}" if isinstance(bias, Tensor) else "")


def attempt(caller: Caller, names: Names, input: object, weight: object, bias: object) -> Attempt:
    made_by: Literal["layer", "function", "inside"]
    made_by = "layer" if caller.plain else "function" if caller.route == "function" else "inside"
    return Attempt(names, made_by, input, weight, bias)


def shapes(operands: Operands) -> list[str]:
    """`[1, 2]`, `[2, 3]`, `[1, 3]`; `?` for what has none."""
    known = [operands.input, operands.weight_t, *([operands.bias] if operands.bias else [])]
    return ["?" if it is None else str(it.shape) for it in known]
