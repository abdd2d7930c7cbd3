"""Where honest results of a linear layer lie: of its output, and of its gradients. Shapes as in `twin.py`."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from torchtwin.kernel.proof.bounds import Arithmetic, arithmetic, exact_product, exact_sum
from torchtwin.kernel.proof.enclosure import Enclosure, enclosure
from torchtwin.kernel.proof.product import Product
from torchtwin.kernel.twin import Twin


def product_of(twin: Twin, shape: torch.Size) -> Product:
    """The operands as matrices, for an output of `shape` (*, N)."""
    weight = twin.weight if twin.weight.dim() == 2 else twin.weight[None]
    rows = rows_of(twin.input, weight.shape[1])
    bias = twin.bias
    if bias is not None and (twin.weight.dim() != 2 or bias.shape != weight.shape[:1]):
        bias = _rows_of_bias(bias, shape, (len(rows), len(weight)))
    return Product(rows, weight, bias)


def output(twin: Twin, shape: torch.Size) -> Enclosure | None:
    """Of y = x w^T + b, in `shape` (*, N), computed in the dtype of the operands."""
    product = product_of(twin, shape)
    exact = exact_product(product.left, product.right, product.bias)
    return _in_shape(enclosure(exact, _arithmetic(product.left)), shape)


def output_through(before: Enclosure, twin: Twin, shape: torch.Size) -> Enclosure | None:
    """Of the output where the input is only known to lie in `before`, within r of x: |x' w^T - x w^T| <= r |w|^T."""
    weight = twin.weight
    x, radius = (rows_of(t, weight.shape[1]) for t in (before.value, before.limit))
    bias = None if twin.bias is None else _rows_of_bias(twin.bias, shape, (len(x), len(weight)))
    exact, how = exact_product(x, weight, bias), _arithmetic(weight)
    carried = radius @ weight.double().abs().T
    sizes = replace(exact, scale=exact.scale + carried, product_scale=exact.product_scale + carried)
    within = enclosure(sizes, how)
    if within is None:
        return None
    limit = within.limit + carried * (1 + 4 * how.unit)  # a result of low precision is rounded twice
    return _in_shape(replace(within, limit=limit), shape)


def gradient(role: str, twin: Twin, grad_output: Tensor) -> Enclosure | None:
    """Of the gradient of `weight` (g^T x), `input` (g w) or `bias` (sum of g), in the shape of that operand."""
    if role == "bias":
        assert twin.bias is not None
        return enclosure(exact_sum(grad_output, twin.bias.shape), _arithmetic(grad_output))
    weight = twin.weight if twin.weight.dim() == 2 else twin.weight[None]
    g, x = rows_of(grad_output, len(weight)), rows_of(twin.input, weight.shape[1])
    left, right = (g.T, x.T) if role == "weight" else (g, weight.T)
    shape = twin.weight.shape if role == "weight" else twin.input.shape
    return _in_shape(enclosure(exact_product(left, right), _arithmetic(g)), shape)


def rows_of(tensor: Tensor, features: int) -> Tensor:
    """(*, features) as (M, features)."""
    return tensor.reshape(tensor.numel() // features if features else tensor.shape[:-1].numel(), features)


def _arithmetic(tensor: Tensor) -> Arithmetic:
    return arithmetic(tensor.dtype, tensor.device)


def _in_shape(within: Enclosure | None, shape: torch.Size) -> Enclosure | None:
    return None if within is None else within.at(lambda tensor: tensor.reshape(shape))


def _rows_of_bias(bias: Tensor, output: torch.Size, shape: tuple[int, int]) -> Tensor:
    """The bias of every output element. A (1, N) bias may have more dimensions than the output."""
    return bias.broadcast_to(shape) if bias.dim() > len(output) else bias.broadcast_to(output).reshape(shape)
