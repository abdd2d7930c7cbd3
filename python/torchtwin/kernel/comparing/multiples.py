"""Which names a cell gives to a multiple of a gradient that autograd computed: `step = lr * w.grad`."""

from __future__ import annotations

import ast
import functools

from torchtwin.kernel.compiling import UNREADABLE, statements

_PRODUCTS = {"matmul", "mm", "bmm", "addmm", "einsum", "outer", "dot", "mv", "linear", "sum", "mean"}
"""What computes another gradient from one: `dw = y.grad.T @ x`."""


@functools.lru_cache(maxsize=64)
def multiples_of_gradients(python: str) -> frozenset[str]:
    """By the text alone; none where it is no Python."""
    try:
        bindings = [it for statement in statements(python) for it in ast.walk(statement)]
    except UNREADABLE:
        return frozenset()
    found: set[str] = set()
    assigned = [it for it in bindings if isinstance(it, ast.Assign | ast.AnnAssign | ast.AugAssign) and it.value]
    for it in sorted(assigned, key=lambda it: (it.lineno, it.col_offset)):
        if it.value is not None and _is_multiple(it.value, found):
            targets = it.targets if isinstance(it, ast.Assign) else [it.target]
            found |= {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}
    return frozenset(found)


def _is_multiple(value: ast.expr, multiples: set[str]) -> bool:
    parts = list(ast.walk(value))
    names = {it.id for it in parts if isinstance(it, ast.Name)}
    attributes = {it.attr for it in parts if isinstance(it, ast.Attribute)}
    is_product = any(isinstance(it, ast.MatMult) for it in parts) or bool(attributes & _PRODUCTS)
    return not is_product and ("grad" in attributes or bool(names & multiples))
