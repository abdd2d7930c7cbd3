"""The user's text compiled once more, without the warnings that Python gives each time it compiles such text."""

from __future__ import annotations

import ast
import re
import warnings
from itertools import starmap
from operator import call
from types import CodeType
from typing import Any

UNREADABLE = (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError)
"""What compiling raises; for depth the parser has two exceptions."""
# The pattern matches every message, and makes the filter unlike any of the user's.
_OF_OURS: Any = ("ignore", re.compile("(?# compiled once more)"), Warning, None, 0)


def compiled(text: str, file: str) -> CodeType:
    """The code of a whole file."""
    code: CodeType = _without_warnings(text, file, "exec", 0)
    return code


def statements(text: str) -> list[ast.stmt]:
    """Those of a notebook's cell, which may await at its top level."""
    module: ast.Module = _without_warnings(text, "<cell>", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    return module.body


def expression(text: str) -> ast.expr:
    """The one expression that the text is."""
    whole: ast.Expression = _without_warnings(text, "<words>", "eval", ast.PyCF_ONLY_AST)
    return whole.body


def _without_warnings(text: str, file: str, mode: str, flags: int) -> Any:
    """What `compile` gives, while a filter of ours stands in front of the process's own.

    `warnings.catch_warnings` would exchange the filters of all threads, for as long as another thread likes to run, and
    have Python forget which warnings it has shown. Here `tuple` takes all three steps in C: no other thread and no
    signal's handler runs before the filter is gone again, and the interpreter is not told that there was one.
    """
    filters: Any = warnings.filters
    steps = ((filters.insert, 0, _OF_OURS), (compile, text, file, mode, flags, True), (filters.remove, _OF_OURS))
    try:
        _, made, _ = tuple(starmap(call, steps))
    except BaseException:
        if _OF_OURS in filters:  # it is not where all steps were taken before a signal's handler raised
            filters.remove(_OF_OURS)
        raise
    return made
