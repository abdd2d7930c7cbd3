"""What the user calls the two sides of a question, by the words of the call that asks it."""

from __future__ import annotations

import ast
from types import FrameType

from torchtwin.kernel.callsite import words_of_call
from torchtwin.kernel.words import parsed, words_of


def words_of_question(frame: FrameType, wrt: int) -> tuple[tuple[str, str], list[str]]:
    """The words for both sides and for each tensor of `wrt`, in the call that runs in `frame`."""
    text = words_of_call(frame)
    args = [*text.args, *[""] * 2]
    first = args[0] or text.keywords.get("actual", "actual")
    second = args[1] or text.keywords.get("expected", "expected")
    return (first, second), _items(text.keywords.get("wrt"), wrt)


def _items(words: str | None, count: int) -> list[str]:
    node = None if words is None else parsed(words)
    if words is not None and isinstance(node, ast.List | ast.Tuple) and len(node.elts) == count:
        return [words_of(item, words) for item in node.elts]
    if words is not None and count == 1 and isinstance(node, ast.Attribute | ast.Name):
        return [words]  # a tensor alone, or a list of one that has a name
    return [f"wrt[{at}]" for at in range(count)]
