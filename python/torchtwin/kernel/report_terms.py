"""A call's formula, term by term, so that shapes can be written under their operands."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from torchtwin.kernel.report_columns import clean, elide, width
from torchtwin.kernel.words import parsed
from torchtwin.protocol import Failure, Operand, Operands


class Told(Protocol):
    """What a formula needs of a call, or of one that is still to come."""

    @property
    def expression(self) -> str: ...
    @property
    def operands(self) -> Operands: ...
    @property
    def error(self) -> Failure | None: ...


@dataclass(frozen=True)
class Term:
    """An operand of the formula, with the sign before it and its shape below."""

    sign: str
    """`@`, `+` or `->`; empty for the first."""
    text: str
    shape: list[int] | None
    inner: int | None = None
    """Index of the dimension that is summed over."""
    clash: frozenset[int] = frozenset()
    """Indices of the dimensions that do not fit."""


def terms(call: Told) -> list[Term]:
    """The formula term by term, in the words of the expression where it has the usual form, else by operand name."""
    o = call.operands
    operands = [("@", "input", o.input), ("@", "weight_t", o.weight_t), ("+", "bias", o.bias)]
    texts = split(call.expression)
    if len(texts) < 3:  # without a bias
        operands = [part for part in operands if part[2] is not None or (texts and part[1] == "input")]
    if len(texts) != len(operands):
        operands = [part for part in operands if part[2] is not None]
        texts = [operand.name for _, _, operand in operands if operand is not None]
    found = [
        Term(sign if position else "", text, *_described(call, role, operand))
        for position, ((sign, role, operand), text) in enumerate(zip(operands, texts, strict=True))
    ]
    return found if o.output is None else [*found, Term("->", o.output.name, o.output.shape)]


def _described(call: Told, role: str, operand: Operand | None) -> tuple[list[int] | None, int | None, frozenset[int]]:
    """Nothing is known of what is no tensor, as a list that was passed."""
    if operand is None:
        return None, None, frozenset()
    return operand.shape, _inner(role, operand), _clashes(call, role)


def _inner(role: str, operand: Operand) -> int | None:
    if not operand.shape or role == "bias":
        return None
    return len(operand.shape) - 1 if role == "input" else 0


def _clashes(call: Told, role: str) -> frozenset[int]:
    if call.error is None:
        return frozenset()
    direct = {it.dim for it in call.error.clash if it.operand == role}
    turned = {1 - it.dim for it in call.error.clash if it.operand == "weight" and role == "weight_t"}
    return frozenset(direct | turned)


def names_that_fit(row: list[Term], room: int) -> list[str] | None:
    """The terms' texts, the longest shortened until all stand in one line; null where nothing helps."""
    for longest in range(room, 9, -2):
        names = [elide(clean(term.text), longest) for term in row]
        if sum(column_widths(row, names)) + sum(len(term.sign) + 2 for term in row if term.sign) <= room:
            return names
    return None


def column_widths(row: list[Term], names: list[str]) -> list[int]:
    return [max(width(name), width(shape_text(term))) for name, term in zip(names, row, strict=True)]


def shape_text(term: Term) -> str:
    return "?" if term.shape is None else str(list(term.shape))


def shape_list(shape: list[int]) -> str:
    """`[2, ?]`: of a nested tensor, whose parts differ there."""
    return f"[{', '.join('?' if size < 0 else str(size) for size in shape)}]"


def split(expression: str) -> list[str]:
    """The operands of `a @ b` or `a @ b + c`, parentheses included; empty for any other form."""
    match parsed(expression):
        case ast.BinOp(ast.BinOp(a, ast.MatMult(), b), ast.Add(), c):
            return _cut(expression, [(a, b, "@"), (b, c, "+")])
        case ast.BinOp(a, ast.MatMult(), b):
            return _cut(expression, [(a, b, "@")])
    return []


def _cut(text: str, seams: list[tuple[ast.expr, ast.expr, str]]) -> list[str]:
    """Cuts at each operator, which stands between its operands and, if any, their parentheses."""
    if "\n" in text:
        return []
    data = b" " + text.encode()  # `parsed` counts columns from the parenthesis before
    cuts = [data.index(sign.encode(), left.end_col_offset or 0, right.col_offset) for left, right, sign in seams]
    bounds = [-1, *cuts, len(data)]
    return [data[a + 1 : b].decode().strip() for a, b in pairwise(bounds)]
