"""Which words of the user's can be run again and give the same: only such may stand in a twin."""

from __future__ import annotations

import ast
from collections.abc import Callable
from types import ModuleType

from torchtwin.kernel.kinds import is_tensor

_OPERATORS = (ast.BinOp, ast.UnaryOp, ast.Attribute, ast.Subscript, ast.Slice, ast.Tuple, ast.List)
_RANDOM = {"bernoulli", "binomial", "multinomial", "normal", "poisson", "rrelu", "empty", "empty_like", "empty_strided"}
_RANDOM_PARTS = ("rand", "dropout", "gumbel")


def is_repeatable(node: ast.expr, resolve: Callable[[ast.expr], object]) -> bool:
    """Names, constants, operators, and calls of torch's functions and tensor methods that neither draw nor change.

    `resolve` tells what an expression leads to, without running it. A call of anything else, `next(batches)` or a
    module, may give another result the next time.
    """
    if isinstance(node, ast.Name | ast.Constant):
        return True
    if isinstance(node, ast.Call):
        parts = [*node.args, *(keyword.value for keyword in node.keywords)]
        return _is_pure(node.func, resolve) and all(is_repeatable(part, resolve) for part in parts)
    if not isinstance(node, _OPERATORS):
        return False
    inner = (child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr))
    return all(is_repeatable(child, resolve) for child in inner)


def _is_pure(function: ast.expr, resolve: Callable[[ast.expr], object]) -> bool:
    if not isinstance(function, ast.Attribute) or function.attr.endswith("_") or _draws(function.attr):
        return False
    owner = resolve(function.value)
    if isinstance(owner, ModuleType):
        return owner.__name__ in ("torch", "torch.nn.functional") and resolve(function) is not None
    return (is_tensor(owner) or isinstance(function.value, ast.Call)) and is_repeatable(function.value, resolve)


def _draws(name: str) -> bool:
    return name in _RANDOM or any(part in name for part in _RANDOM_PARTS)
