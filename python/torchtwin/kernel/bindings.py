"""Which names a cell binds at its top level, and which of them by a loop: as `p` by `for p in fc.parameters()`."""

from __future__ import annotations

import ast

from torchtwin.kernel.compiling import UNREADABLE, statements

_RUN_THEIR_BODY = {"time", "prun"}
"""Cell magics that run their body in the notebook's namespace, and not as a cell of its own as `%%capture` does."""


def bound_by_loops(python: str) -> dict[str, bool]:
    """For each name that the text binds, whether a loop bound it last; none where the text is no Python."""
    try:
        read = statements(python)
    except UNREADABLE:
        return {}
    found = _Bindings()
    try:
        for statement in read:
            found.visit(statement)
    except RecursionError:
        return {}
    return found.by_loop


class _Bindings(ast.NodeVisitor):
    """Goes through the statements in their order, past the inside of functions and classes."""

    def __init__(self) -> None:
        self.by_loop: dict[str, bool] = {}

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        self.visit(node.iter)
        self.visit(node.target)
        for name in ast.walk(node.target):
            if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store):
                self.by_loop[name.id] = True
        for statement in (*node.body, *node.orelse):
            self.visit(statement)

    visit_AsyncFor = visit_For

    def visit_Name(self, node: ast.Name) -> None:
        if not isinstance(node.ctx, ast.Load):
            self._bind(node.id)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.generic_visit(node)

    def visit_alias(self, node: ast.alias) -> None:
        self._bind(node.asname or node.name.partition(".")[0])

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        self._bind(node.name)

    visit_AsyncFunctionDef = visit_ClassDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        """Its names are its own."""

    def visit_ListComp(self, node: ast.expr) -> None:
        """Its names are its own, but for those of `:=`."""
        for part in ast.walk(node):
            if isinstance(part, ast.NamedExpr):
                self._bind(part.target.id)

    visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_ListComp

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        self._bind(node.name)
        self.generic_visit(node)

    def visit_MatchAs(self, node: ast.MatchAs | ast.MatchStar) -> None:
        self._bind(node.name)
        self.generic_visit(node)

    visit_MatchStar = visit_MatchAs

    def visit_Call(self, node: ast.Call) -> None:
        match node:
            case ast.Call(ast.Attribute(_, "run_cell_magic"), [ast.Constant(magic), _, ast.Constant(str() as body)]):
                if magic in _RUN_THEIR_BODY:
                    self.by_loop.update(bound_by_loops(body))
            case _:
                self.generic_visit(node)

    def _bind(self, name: str | None) -> None:
        if name is not None:
            self.by_loop[name] = False
