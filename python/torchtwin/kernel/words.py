"""The user's words, taken apart."""

from __future__ import annotations

import ast
import functools

from torchtwin.kernel.compiling import UNREADABLE, expression

AS_IT_IS = "{}"
"""The code that makes a tensor of the words for one."""


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


def is_code(name: str) -> bool:
    """Whether the words for a result, as they stand in a sentence, are nothing but code."""
    return len(name) > 2 and name.startswith("`") and name.endswith("`") and name.count("`") == 2


def written(words: str, as_tensor: str, method: str) -> str | None:
    """The method called on the tensor that `as_tensor` makes of the words; null where no code is known for that."""
    if as_tensor == AS_IT_IS:
        return f"{words if binds_tightly(words) else f'({words})'}{method}"
    return as_tensor.replace("{}", words, 1) + method if as_tensor else None


def _parenthesised(words: str) -> str:
    """As a call may go over several lines."""
    return f"({words})"
