"""`%twin A == B` and `%twin A`: expressions of the user's, evaluated in their namespace."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Mapping
from dataclasses import dataclass
from types import CodeType
from typing import Any

FILE = "<twin>"
"""Under which the words are filed, so that calls made in them are named by them."""


@dataclass(frozen=True)
class Question:
    """One expression, or two that are to be compared."""

    words: str
    sides: tuple[str, ...]


def question(text: str) -> Question | None:
    """What a line asks; null where it is no expression."""
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    parts: list[ast.expr] = [node]
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], ast.Eq):
        parts = [node.left, *node.comparators]
    return Question(text.strip(), tuple(ast.get_source_segment(text.strip(), part) or "" for part in parts))


def equality_meant(text: str) -> str | None:
    """`a == b` for `a = b`; null for anything else."""
    try:
        statements = ast.parse(text.strip()).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    match statements:
        case [ast.Assign(targets=[target], value=value)] if not isinstance(value, ast.Compare):
            return f"{ast.unparse(target)} == {ast.unparse(value)}"
    return None


class Evaluation:
    """Evaluates the sides in the user's namespace. Errors are theirs, and told by the words that raised them."""

    def __init__(self, names: dict[str, Any]) -> None:
        self._names = names

    def value(self, words: str) -> tuple[object, str | None]:
        """The value, or null and what went wrong."""
        try:
            return eval(compiled_as_filed(words), self._names), None
        except Exception as error:
            return None, f"`{words}` raised {told(error)}"


def told(error: Exception) -> str:
    """An error of the user's code in one line, by its type alone where its text raises as well."""
    try:
        first = next(iter(str(error).splitlines()), "")
    except Exception:
        first = ""
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def compiled_as_filed(words: str) -> CodeType:
    """Compiled under a name whose text is filed, as a cell's is, so that calls can be named by their words."""
    linecache.cache[FILE] = (len(words), None, [words], FILE)
    return compile(words, FILE, "eval", dont_inherit=True)


def is_name(words: str, names: Mapping[str, Any]) -> bool:
    """Whether a single word means something to the user."""
    return not words.isidentifier() or words in names
