"""The statement at which a frame stands, from the text that its code was compiled from."""

from __future__ import annotations

import ast
import dis
import inspect
import itertools
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType
from typing import Literal

from torchtwin.kernel import source
from torchtwin.kernel.callsite import Text, with_words
from torchtwin.kernel.compiling import UNREADABLE, statements
from torchtwin.kernel.paused.place import Place
from torchtwin.kernel.source import Span
from torchtwin.kernel.words import parsed

UNKNOWN_SOURCE = "its source is not known"
When = Literal["done", "now", "ahead"]
_COMPREHENSIONS = {
    ast.ListComp: "<listcomp>",
    ast.SetComp: "<setcomp>",
    ast.DictComp: "<dictcomp>",
    ast.GeneratorExp: "<genexpr>",
}
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda | ast.Module
_WORKS = ("CALL", "BINARY_OP")


@dataclass(frozen=True)
class Statement:
    """What a frame is about to run, or is in the midst of."""

    parts: list[ast.expr]
    """What it computes, in that order."""
    target: str | None
    """The variable that it binds."""
    file: str
    _lines: list[str]
    _works: list[dis.Instruction]
    """Its calls and operators; none where it has not begun."""
    _now: int | None
    """The instruction at which the frame stands; null where the statement has not begun."""

    def when(self, node: ast.expr) -> When:
        """Whether a call or an operator of it has run already."""
        offset = None if self._now is None else self._offset(node)
        if offset is None or self._now is None or offset > self._now:
            return "ahead"
        return "now" if offset == self._now else "done"

    def words(self, node: ast.expr) -> str:
        """As they are written; within an f-string Python itself may tell another place."""
        written = source.cut(self._lines, span_of(node)) or ""
        found = parsed(written)
        return written if found is not None and ast.dump(found) == ast.dump(node) else ast.unparse(node)

    def text(self, node: ast.expr) -> Text:
        """A call taken apart, as it would be recorded."""
        line = self._lines[node.lineno - 1].strip() if node.lineno <= len(self._lines) else None
        return with_words(Text(self.file, node.lineno, line, target=self.takes(node)), self.words(node))

    def takes(self, node: ast.expr) -> str | None:
        """The variable that the value of `node` itself is bound to."""
        return self.target if len(self.parts) == 1 and _gives(self.parts[0], node) else None

    def _offset(self, node: ast.expr) -> int | None:
        """Of the instruction; a method's call begins, for Python, in the line of the method's name."""
        kind = "CALL" if isinstance(node, ast.Call) else "BINARY_OP"
        begins, ends = (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)
        found = [it for it in self._works if it.opname.startswith(kind) and _ends(it) == ends]
        exact = [it for it in found if _begins(it) == begins]
        return next((it.offset for it in exact or found if _begins(it) >= begins), None)


def statement(place: Place) -> Statement | None:
    """The statement of the place; the following one, where the place only asks. Null where its source is not known.

    One without parts where nothing stands there: at the head of a function that was only just called.
    """
    code = place.frame.f_code
    text = source.text_of(code)
    try:
        tree = ast.Module(statements(text), [])
    except UNREADABLE:
        return None
    path = list(_path(tree, _position(code, place)))
    within = next((at for at in reversed(range(len(path))) if _is_of(path[at], code)), None)
    if within is None:
        return None
    node = _innermost(path, within)
    finder = _Finder(code, place, text)
    if node is None:
        return finder.nothing() if isinstance(path[within], _FUNCTIONS) else None
    if not source.runs(code, text, span_of(node)):
        return None
    found = finder.found(node)
    if not _only_asks(node, found, place):
        return found
    following = _following(path[: path.index(node) + 1])
    if following is None:
        return finder.nothing()
    return finder.not_begun(following) if source.runs(code, text, span_of(following)) else None


class _Finder:
    def __init__(self, code: CodeType, place: Place, text: str) -> None:
        self._code = code
        self._now = _instruction(code, place.instruction)
        self._lines = source.lines(text)

    def found(self, node: ast.AST) -> Statement:
        return self._statement(node, list(_works(self._code, span_of(node), self._now)), True)

    def not_begun(self, node: ast.stmt) -> Statement:
        return self._statement(node, [], False)

    def nothing(self) -> Statement:
        return Statement([], None, self._code.co_filename, self._lines, [], None)

    def _statement(self, node: ast.AST, works: list[dis.Instruction], has_begun: bool) -> Statement:
        parts = list(_parts(node))
        now = self._now if has_begun else None
        return Statement(parts, _target(node), self._code.co_filename, self._lines, works, now)


def _instruction(code: CodeType, offset: int) -> int:
    """The instruction that an offset is within: a frame whose call runs may stand behind that."""
    return max((it.offset for it in dis.get_instructions(code) if it.offset <= offset), default=0)


def span_of(node: ast.AST) -> Span:
    """Its place; of a statement with a body, without that."""
    at: ast.expr = node  # type: ignore[assignment]
    first, start = at.lineno, at.col_offset
    header = [*_parts(node)]
    if isinstance(node, ast.stmt) and hasattr(node, "body") and header:
        last = max(header, key=lambda it: (it.end_lineno or 0, it.end_col_offset or 0))
        return first, last.end_lineno or first, start, last.end_col_offset or 0
    return first, at.end_lineno or first, start, at.end_col_offset or 0


def _position(code: CodeType, place: Place) -> Span:
    """Of the instruction, where Python tells; else the beginning of the line."""
    known = next(itertools.islice(code.co_positions(), place.instruction // 2, None), None)
    line, end_line, start, end = known or (None, None, None, None)
    if line is None or end_line is None or start is None or end is None or line > end_line:
        return place.line, place.line, -1, -1
    return line, end_line, start, end


def _path(tree: ast.Module, at: Span) -> Iterator[ast.AST]:
    """The nodes that hold a place, the outermost first."""
    node: ast.AST | None = tree
    while node is not None:
        yield node
        node = next((child for child in _children(node) if _holds(child, at)), None)


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """Those that have a place; of one that has none, its own children."""
    for child in ast.iter_child_nodes(node):
        if hasattr(child, "end_lineno"):
            yield child
        else:
            yield from _children(child)


def _holds(node: ast.AST, at: Span) -> bool:
    first, last, start, end = at
    begins = (_first_line(node), node.col_offset)  # type: ignore[attr-defined]
    ends = (node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]
    if start < 0:  # a line without columns
        return bool(begins[0] <= first <= ends[0])
    return bool(begins <= (first, start) and (last, end) <= ends)


def _first_line(node: ast.AST) -> int:
    lines: list[int] = [it.lineno for it in (node, *getattr(node, "decorator_list", []))]
    return min(lines)


def _is_of(node: ast.AST, code: CodeType) -> bool:
    """Whether the node is what `code` was compiled from."""
    if isinstance(node, _FUNCTIONS):
        return node.name == code.co_name and _first_line(node) == code.co_firstlineno
    if isinstance(node, ast.ClassDef):
        return node.name == code.co_name and not code.co_flags & inspect.CO_OPTIMIZED
    if isinstance(node, ast.Lambda):
        return code.co_name == "<lambda>"
    if isinstance(node, ast.Module):
        return not code.co_flags & inspect.CO_OPTIMIZED
    kind = _COMPREHENSIONS.get(type(node))
    return kind is not None and kind == code.co_name


def _innermost(path: list[ast.AST], within: int) -> ast.AST | None:
    """The statement, or the comprehension or lambda that is a scope of its own."""
    scope = path[within]
    if isinstance(scope, ast.expr):
        return scope
    inlined = [it for it in path[within:] if sys.version_info >= (3, 12) and type(it) in _INLINED]
    if inlined:  # from Python 3.12 on these run in the frame around them
        return inlined[-1]
    return next((it for it in reversed(path[within + 1 :]) if isinstance(it, ast.stmt)), None)


_INLINED = (ast.ListComp, ast.SetComp, ast.DictComp)


def _parts(node: ast.AST) -> Iterator[ast.expr]:
    """What it computes by itself; of a statement with a body, without that."""
    match node:
        case ast.AugAssign(ast.Name(name), op, value):
            read = ast.copy_location(ast.Name(name, ast.Load()), node.target)
            yield ast.copy_location(ast.BinOp(read, op, value), node)
        case ast.Assign(value=value) | ast.Expr(value) | ast.Return(value) | ast.AnnAssign(value=value):
            yield from [] if value is None else [value]
        case ast.If(test) | ast.While(test) | ast.Assert(test):
            yield test
        case ast.For(iter=value) | ast.AsyncFor(iter=value) | ast.Match(subject=value) | ast.AugAssign(value=value):
            yield value
        case ast.With(items) | ast.AsyncWith(items):
            yield from (it.context_expr for it in items)
        case ast.Raise(exc):
            yield from [] if exc is None else [exc]
        case ast.Lambda(body=body):
            yield body
        case ast.ListComp(element, loops) | ast.SetComp(element, loops) | ast.GeneratorExp(element, loops):
            yield from _of_loops(loops)
            yield element
        case ast.DictComp(key, value, loops):
            yield from _of_loops(loops)
            yield from (key, value)


def _of_loops(loops: list[ast.comprehension]) -> Iterator[ast.expr]:
    """The first iterable was computed before, by the code around."""
    for at, loop in enumerate(loops):
        yield from [loop.iter] if at else []
        yield from loop.ifs


def _target(node: ast.AST) -> str | None:
    match node:
        case ast.Assign([ast.Name(name)]) | ast.AnnAssign(ast.Name(name)) | ast.AugAssign(ast.Name(name)):
            return name
    return None


def _gives(whole: ast.expr, node: ast.expr) -> bool:
    """Whether the value of a part is, or may be, that of the whole."""
    return whole is node or (isinstance(whole, ast.IfExp) and (_gives(whole.body, node) or _gives(whole.orelse, node)))


def _works(code: CodeType, span: Span, now: int) -> Iterator[dis.Instruction]:
    """The calls and operators of a statement, of the copy of it in which the frame stands: a loop's test has two."""
    first, last, start, end = span
    copies: list[list[dis.Instruction]] = [[]]
    for it in dis.get_instructions(code):
        begins, ends = _begins(it), _ends(it)
        if begins is not None and ends is not None and (first, start) <= begins and ends <= (last, end):
            copies[-1].append(it)
        elif begins is not None and copies[-1]:
            copies.append([])
    chosen = [copy for copy in copies if copy and copy[0].offset <= now <= copy[-1].offset] or copies
    return (it for copy in chosen for it in copy if it.opname.startswith(_WORKS))


def _begins(it: dis.Instruction) -> tuple[int, int]:
    at = it.positions
    return (-1, -1) if at is None or at.lineno is None else (at.lineno, at.col_offset or 0)


def _ends(it: dis.Instruction) -> tuple[int, int]:
    at = it.positions
    return (-1, -1) if at is None or at.end_lineno is None else (at.end_lineno, at.end_col_offset or 0)


def _only_asks(node: ast.AST, found: Statement, place: Place) -> bool:
    """Whether the statement is `breakpoint()`, `torchtwin.here()` or `%twin here` itself, which has begun."""
    if place.state not in ("asked", "stopped") or not isinstance(node, ast.Expr):
        return False
    return isinstance(node.value, ast.Call) and found.when(node.value) == "now" and _has_called(place)


def _has_called(place: Place) -> bool:
    """Whether the call itself is what asks, or has stopped; else it is about to be made."""
    return place.state == "asked" or place.has_called


def _following(path: list[ast.AST]) -> ast.stmt | None:
    """The statement after the last of the path, also after the end of an `if` or a `with`."""
    *outer, node = path
    for at in reversed(range(len(outer))):
        for body in (getattr(outer[at], name, []) for name in ("body", "orelse", "finalbody")):
            if isinstance(body, list) and node in body and node is not body[-1]:
                after: ast.stmt = body[body.index(node) + 1]
                return after
        if not isinstance(outer[at], ast.If | ast.With | ast.AsyncWith):
            return None
        node = outer[at]
    return None
