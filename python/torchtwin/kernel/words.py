"""The user's words, taken apart. Python warns of some words each time it parses them; those are left as they stand."""

from __future__ import annotations

import ast
import functools
import re

_WARNED_OF = re.compile(r"\\|\b\d[\w.]*(?:and|else|for|if|in|is|not|or)\b")
"""An escape that does not exist (`"\\d"`), a number that runs into a keyword (`1if x else y`), and what looks so."""


@functools.lru_cache(maxsize=4096)
def parsed(words: str) -> ast.expr | None:
    """The expression that the words spell, its columns counted as within parentheses; null where they spell none."""
    text = _parenthesised(words)
    if _WARNED_OF.search(text):
        return None
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # for depth the parser has two exceptions
        return None


def words_of(part: ast.expr, words: str) -> str:
    """The words of a part of what `parsed(words)` gave, in one line."""
    written = ast.get_source_segment(_parenthesised(words), part) or ""
    return written if written and "\n" not in written else ast.unparse(part)


def in_one_line(words: str) -> str:
    """The words with their lines joined."""
    return " ".join(words.replace("\\\n", " ").split())


def binds_tightly(words: str) -> bool:
    """Whether a method can be called on the words as they stand."""
    return isinstance(parsed(words), ast.Name | ast.Attribute | ast.Subscript | ast.Call)


def _parenthesised(words: str) -> str:
    """As a call may go over several lines. A line that `\\` continues is continued by the parentheses."""
    return "(" + words.replace("\\\n", " \n") + ")"
