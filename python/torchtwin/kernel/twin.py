"""The twin of a call: the plain formula, as text in the user's names and as something to evaluate."""

from __future__ import annotations

import ast
import functools
from dataclasses import dataclass

import torch
from torch import Tensor

from torchtwin.kernel.naming import Names
from torchtwin.protocol import GradientFormulas

_CASTS = {
    torch.float64: ".double()",
    torch.float32: ".float()",
    torch.float16: ".half()",
    torch.bfloat16: ".bfloat16()",
}


@dataclass(frozen=True)
class Twin:
    """The operands as the layer used them: detached, and cast as autocast did."""

    input: Tensor
    """Shape (*, K)."""
    weight: Tensor
    """Shape (N, K), or (K,)."""
    bias: Tensor | None

    def evaluate(self) -> Tensor:
        """`x @ w.T + b`, shape (*, N), rounded to the operands' dtype after the product and again after the sum."""
        product = self.input @ transposed(self.weight)
        return product if self.bias is None else product + self.bias


def twin(input: Tensor, weight: Tensor, bias: Tensor | None, output: Tensor) -> Twin:
    """The twin of the call that gave `output`."""
    dtype = output.dtype
    cast_bias = None if bias is None else bias.detach().to(dtype)
    return Twin(input.detach().to(dtype), weight.detach().to(dtype), cast_bias)


def transposed(weight: Tensor) -> Tensor:
    """`w.T`; a one-dimensional weight is its own transpose."""
    return weight if weight.dim() < 2 else weight.T


def expression(names: Names, input: Tensor, weight: Tensor, bias: Tensor | None, dtype: torch.dtype | None) -> str:
    """The twin as the user could type it, with the casts that autocast made. `dtype` is the output's, if known."""
    x = _written(names.input_text, input, dtype)
    w = _written(names.weight, weight, dtype) + (".T" if weight.dim() > 1 else "")
    b = f" + {_written(names.bias, bias, dtype)}" if bias is not None else ""
    return f"{x} @ {w}{b}"


def _written(text: str, tensor: Tensor, dtype: torch.dtype | None) -> str:
    cast = _CASTS.get(dtype, "") if dtype is not None and tensor.dtype != dtype else ""
    return (text if _binds_tightly(text) else f"({text})") + cast


@functools.lru_cache(maxsize=4096)
def _binds_tightly(text: str) -> bool:
    try:
        node = ast.parse(text, mode="eval").body
    except SyntaxError:
        return False
    return isinstance(node, ast.Name | ast.Attribute | ast.Subscript | ast.Call)


def gradient_formulas(names: Names, input: Tensor, weight: Tensor, bias: Tensor | None) -> GradientFormulas:
    """The gradients in the user's names, `g` being the gradient of the output, of shape (*, N)."""
    x = names.input_text if _binds_tightly(names.input_text) else f"({names.input_text})"
    w = names.weight if _binds_tightly(names.weight) else f"({names.weight})"
    if input.dim() == 1:
        of_weight = f"g.outer({x})"
    elif input.dim() == 2:
        of_weight = f"g.T @ {x}"
    else:
        of_weight = f"g.flatten(0, -2).T @ {x}.flatten(0, -2)"
    return GradientFormulas(of_weight, None if bias is None else _bias_formula(input.dim(), bias), f"g @ {w}")


def _bias_formula(input_dim: int, bias: Tensor) -> str:
    if bias.dim() == 1 and input_dim == 1:
        return "g"
    if bias.dim() == 1 and bias.numel() > 1:
        return "g.sum(0)" if input_dim == 2 else "g.flatten(0, -2).sum(0)"
    if input_dim == 2 and bias.dim() == 2 and bias.shape[0] == 1:
        return "g.sum(0, keepdim=True)"
    if bias.dim() > input_dim:
        return f"g.reshape({_sizes(bias)})"
    return f"g.sum_to_size({_sizes(bias)})"


def _sizes(tensor: Tensor) -> str:
    return ", ".join(map(str, tensor.shape))
