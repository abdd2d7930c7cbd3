"""Which words of the user's name data, and which compute something."""

from __future__ import annotations

import ast

from torchtwin.kernel.words import parsed

_MOVES = frozenset(
    [
        "view",
        "reshape",
        "flatten",
        "squeeze",
        "unsqueeze",
        "transpose",
        "permute",
        "t",
        "contiguous",
        "expand",
        "detach",
        "clone",
        "to",
        "cpu",
        "cuda",
        "float",
        "double",
        "half",
        "bfloat16",
        "requires_grad_",
    ]
)
"""Methods that give the numbers of their tensor, perhaps rounded to another dtype."""
_MAKES = frozenset(["tensor", "as_tensor", "from_numpy", "ones", "zeros", "full", "eye", "arange", "linspace"])
"""Functions of torch's that make the same data whenever they are called."""


def is_name_of_data(words: str) -> bool:
    """Whether it names a tensor, or a part of one: `x`, `batch["x"][:8].view(-1, 4)`; not `x - mean` nor `f(x)`."""
    node = parsed(words)
    return node is not None and _is_data(node)


def _is_data(node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        function = node.func
        if not isinstance(function, ast.Attribute):
            return False
        is_torch = isinstance(function.value, ast.Name) and function.value.id == "torch"
        if is_torch and function.attr in _MAKES:
            return not any(map(_computes, node.args))
        return function.attr in _MOVES and _is_data(function.value)
    if isinstance(node, ast.Subscript):
        return _is_data(node.value) and not _computes(node.slice)
    if isinstance(node, ast.Attribute):
        return _is_data(node.value)
    return isinstance(node, ast.Name | ast.Constant)


def _computes(node: ast.AST) -> bool:
    return any(isinstance(part, ast.Call | ast.BinOp) for part in ast.walk(node))
