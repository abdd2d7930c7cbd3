"""The twin of a call: the plain formula, as text in the user's names and as something to evaluate."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from torchtwin.kernel.naming import Names
from torchtwin.kernel.words import binds_tightly
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
    return (text if binds_tightly(text) else f"({text})") + cast


def gradient_formulas(
    names: Names, input: Tensor, weight: Tensor, bias: Tensor | None, dtype: torch.dtype
) -> GradientFormulas:
    """The gradients in the user's names, `g` being the gradient of the output, in its shape and `dtype`."""
    x = _written(names.input_text, input, dtype)
    w = _written(names.weight, weight, dtype)
    of_bias = None if bias is None else _bias_formula(input.dim() - (weight.dim() < 2), bias, weight)
    if weight.dim() < 2:
        return GradientFormulas(_vector_formula(x, input.dim()), of_bias, f"g[..., None] * {w}")
    return GradientFormulas(_matrix_formula(x, input.dim()), of_bias, f"g @ {w}")


def _matrix_formula(x: str, input_dim: int) -> str:
    if input_dim == 1:
        return f"g.outer({x})"
    return f"g.T @ {x}" if input_dim == 2 else f"g.flatten(0, -2).T @ {x}.flatten(0, -2)"


def _vector_formula(x: str, input_dim: int) -> str:
    """Of a one-dimensional weight, whose output has one dimension less than the input."""
    if input_dim == 1:
        return f"g * {x}"
    return f"g @ {x}" if input_dim == 2 else f"g.flatten() @ {x}.flatten(0, -2)"


def _bias_formula(output_dim: int, bias: Tensor, weight: Tensor) -> str:
    """The gradient of the output, of `output_dim` dimensions, summed to the bias's own shape."""
    if bias.dim() == 0:
        return "g.sum()"
    if bias.dim() > output_dim:
        return f"g.reshape({_sizes(bias)})"
    whole = bias.dim() == 1 and weight.dim() > 1 and bias.shape[0] == weight.shape[0]
    if whole and output_dim <= 2:
        return "g" if output_dim == 1 else "g.sum(0)"
    if whole:
        return "g.flatten(0, -2).sum(0)"
    if output_dim == bias.dim() == 2 and bias.shape[0] == 1 and bias.shape[1] == weight.shape[0]:
        return "g.sum(0, keepdim=True)"
    return f"g.sum_to_size({_sizes(bias)})"


def _sizes(tensor: Tensor) -> str:
    return ", ".join(map(str, tensor.shape))
