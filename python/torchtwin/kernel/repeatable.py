"""Which words of the user's can be run again and give the same: only such may stand in a twin."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sized
from types import BuiltinFunctionType, FunctionType, ModuleType

import torch
from torch import nn
from torch.nn import functional

from torchtwin.kernel.kinds import is_tensor

Resolve = Callable[[ast.expr], object]
"""Tells what an expression leads to, without running it; null where that can't be told."""

# What neither draws nor changes anything, as a function of torch's or as a method of a tensor.
_PURE_WORDS = """
abs add amax amin arange argmax argmin as_tensor avg_pool1d avg_pool2d avg_pool3d bfloat16 block_diag bmm
broadcast_to cat ceil chunk clamp clip clone complex concat conj concatenate contiguous conv1d conv2d conv3d cos cosh
cosine_similarity cpu cross cuda cumprod cumsum detach diag diag_embed diagonal dim div divide dot double dstack einsum
erf exp expand expand_as expm1 eye flatten flip fliplr flipud float floor from_numpy full full_like gather ger glu
half hstack index_select inner int kron layer_norm lerp linspace log log10 log1p log2 log_softmax logical_and
logical_not logical_or logsigmoid logspace logsumexp long masked_fill matmul matrix_power max max_pool1d max_pool2d
max_pool3d maximum mean median meshgrid min minimum mm moveaxis movedim mul multiply mv narrow neg new_full new_ones
new_zeros norm normalize numel numpy one_hot ones ones_like outer pad permute pixel_shuffle pow prod reciprocal repeat
repeat_interleave reshape reshape_as roll rot90 round rsqrt select sigmoid sign sin sinh size softmax softplus softsign
sort split sqrt square squeeze stack std sub subtract sum swapaxes swapdims t take take_along_dim tan tanh
tanhshrink tensor tensordot tile to topk transpose tril triu trunc type unbind unflatten unfold unsqueeze var view
view_as vstack where zeros zeros_like
"""
_PURE = frozenset(_PURE_WORDS.split())
# A further one may be `inplace`.
_PURE_OF_ONE_ARGUMENT = {"celu", "elu", "gelu", "hardswish", "hardtanh", "leaky_relu", "mish", "relu", "selu", "silu"}
_PLAIN = (
    torch.Tensor,
    nn.Parameter,
    torch.dtype,
    torch.device,
    torch.Size,
    bool,
    int,
    float,
    complex,
    str,
    list,
    tuple,
)
_FUNCTIONS = (BuiltinFunctionType, FunctionType)
_OPERATORS = (ast.BinOp, ast.UnaryOp, ast.Slice, ast.Tuple, ast.List, ast.Compare)


def is_repeatable(node: ast.expr, resolve: Resolve) -> bool:
    """Names, constants, tensors' attributes, items and operators, and functions that neither draw nor change.

    What may run code of the user's is not: an item of a dataset, a property, a module's call, `next(batches)`.
    """
    if isinstance(node, ast.Constant | ast.Name):
        return isinstance(node, ast.Constant) or _is_plain(resolve(node))
    if isinstance(node, ast.Attribute | ast.Subscript) and _is_plain(resolve(node)):
        return True
    if isinstance(node, ast.Attribute):
        return _gives_a_tensor(node.value, resolve)
    if isinstance(node, ast.Subscript):
        return _gives_a_tensor(node.value, resolve) and is_repeatable(node.slice, resolve)
    if isinstance(node, ast.Call):
        return _is_pure(node, resolve) and all(is_repeatable(part, resolve) for part in _arguments(node))
    inner = (child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr))
    return isinstance(node, _OPERATORS) and all(is_repeatable(child, resolve) for child in inner)


def _is_plain(value: object) -> bool:
    """Whether the operators of a value are not the user's code."""
    return type(value) in _PLAIN or type(value).__module__ == "numpy"


def _gives_a_tensor(node: ast.expr, resolve: Resolve) -> bool:
    """Also where nobody can look: what functions and operators make of plain values is torch's or Python's own."""
    if isinstance(node, ast.Name):
        return is_tensor(value := resolve(node)) and _is_plain(value)
    return is_repeatable(node, resolve)


def _arguments(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(keyword.value for keyword in call.keywords)]


def pure_name(function: ast.expr, resolve: Resolve) -> str | None:
    """The name of a function of torch's own that neither draws nor changes anything, unless by a second argument."""
    name = _name_in_torch(function, resolve)
    return name if name in _PURE or name in _PURE_OF_ONE_ARGUMENT else None


def pure_method(name: str, arguments: Sized) -> bool:
    """Whether a tensor's own method of that name neither draws nor changes anything."""
    return name in _PURE or (name in _PURE_OF_ONE_ARGUMENT and not len(arguments))


def _is_pure(call: ast.Call, resolve: Resolve) -> bool:
    name = _name_in_torch(call.func, resolve)
    if any(keyword.arg in (None, "out") for keyword in call.keywords):
        return False
    if name is None and isinstance(call.func, ast.Attribute) and _gives_a_tensor(call.func.value, resolve):
        return pure_method(call.func.attr, _arguments(call))
    return name in _PURE or (name in _PURE_OF_ONE_ARGUMENT and len(_arguments(call)) == 1)


def _name_in_torch(function: ast.expr, resolve: Resolve) -> str | None:
    """The name of a function of torch's own, called as `torch.relu`, `F.relu` or `relu`."""
    if isinstance(function, ast.Attribute) and isinstance(resolve(function.value), ModuleType):
        name = function.attr
    elif isinstance(function, ast.Name) and isinstance(value := resolve(function), _FUNCTIONS):
        name = value.__name__
    else:
        return None
    found = resolve(function)
    ours = found is not None and any(found is vars(module).get(name) for module in (torch, functional))
    return name if ours else None
