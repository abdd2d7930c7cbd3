"""The user's words, taken apart."""

from __future__ import annotations

import ast
import functools

from torchtwin.kernel.compiling import UNREADABLE, expression


@functools.lru_cache(maxsize=4096)
def parsed(words: str) -> ast.expr | None:
    """The expression that the words spell, its columns counted as within parentheses; null where they spell none."""
    try:
        return expression(_parenthesised(words))
    except UNREADABLE:
        return None


def words_of(part: ast.expr, words: str) -> str:
    """The words of a part of what `parsed(words)` gave, in one line."""
    written = ast.get_source_segment(_parenthesised(words), part) or ""
    return written if written and "\n" not in written else ast.unparse(part)


def in_one_line(words: str) -> str:
    """The words with their lines joined."""
    return " ".join(words.replace("\\\n", " ").split()) if "\n" in words else words


def binds_tightly(words: str) -> bool:
    """Whether a method can be called on the words as they stand."""
    return isinstance(parsed(words), ast.Name | ast.Attribute | ast.Subscript | ast.Call)


def _parenthesised(words: str) -> str:
    """As a call may go over several lines."""
    return f"({words})"
