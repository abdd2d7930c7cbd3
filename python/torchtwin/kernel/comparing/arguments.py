"""How a function of the user's is called with the tensors of `wrt`, under which names, or why it can't be."""

from __future__ import annotations

import ast
import inspect
import keyword
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

from torch import nn

from torchtwin.kernel.comparing.sides import named
from torchtwin.kernel.words import parsed, words_of

_ANY = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def taken(function: Callable[..., Any], count: int) -> int | None:
    """With how many of the first of `count` tensors it is called: with all, or with as few as it can be.

    So a function of `x` that finds its weight itself may stand in a question on both.
    """
    return next((n for n in (count, *range(count)) if _takes(function, n)), None)


def problem_with_arguments(function: Callable[..., Any], words: str, count: int) -> str | None:
    """Why the function can be called neither with `count` tensors nor with fewer."""
    if taken(function, count) is not None:
        return None
    needed = [it for it in _parameters(function) if it.default is inspect.Parameter.empty and it.kind not in _ANY]
    if not needed or any(it.kind not in _POSITIONAL for it in needed):  # its own error tells
        return None
    listed = _listed([f"`{it.name}`" for it in needed])
    if count:
        return f"{named(words)} takes {listed}, not the {count} of `wrt`"
    them, given = ("it" if len(needed) == 1 else "them"), ", ".join(it.name for it in needed)
    return f"{named(words)} takes {listed}: give {them} by `wrt=[{given}]`, or compare what it returns"


def parameter_names(function: object) -> list[str]:
    """Of those that are given by position; none where that is not known."""
    return [it.name for it in _parameters(function) if it.kind in _POSITIONAL]


def words_of_side(words: str, at: int) -> str:
    """Of a pair in `wrt` the words for the first or the second function; of one tensor the same for both."""
    node = parsed(words)
    if isinstance(node, ast.Tuple) and len(node.elts) == 2:
        return words_of(node.elts[at], words)
    return words


def argument_names(candidates: Sequence[Sequence[str]], word: str, count: int) -> list[str]:
    """The first of the candidates that can stand in a call of `word`; `x0`, `x1` if none can."""
    fitting = (list(names[:count]) for names in candidates if len(names) >= count)
    return next((names for names in fitting if _can_stand([word, *names])), [f"x{at}" for at in range(count)])


def _can_stand(names: list[str]) -> bool:
    """Beside each other: `fc` may not be a tensor where `fc.weight` is one."""
    paths = [tuple(name.split(".")) for name in names]
    steps = {path[:n] for path in paths for n in range(1, len(path))}
    return all(map(is_name, names)) and len(set(paths)) == len(paths) and not steps.intersection(paths)


def namespace(names: Sequence[str], values: Sequence[object]) -> dict[str, Any]:
    """Where each of the names, `fc.weight` too, means its value."""
    root = SimpleNamespace()
    for name, value in zip(names, values, strict=True):
        *path, last = name.split(".")
        place = root
        for step in path:
            if not hasattr(place, step):
                setattr(place, step, SimpleNamespace())
            place = getattr(place, step)
        setattr(place, last, value)
    return vars(root)


def _takes(function: object, count: int) -> bool:
    signature = _signature(function)
    try:
        return signature is None or signature.bind(*[None] * count) is not None
    except TypeError:
        return False


def _parameters(function: object) -> list[inspect.Parameter]:
    signature = _signature(function)
    return [] if signature is None else list(signature.parameters.values())


def _signature(function: object) -> inspect.Signature | None:
    """Of a module that of its `forward`, since it is called by anything; null for a function in C that tells none."""
    is_module = isinstance(function, nn.Module) and "__call__" not in vars(type(function))
    try:
        return inspect.signature(function.forward if is_module else function)  # type: ignore[attr-defined, arg-type]
    except (TypeError, ValueError):
        return None


def _listed(names: list[str]) -> str:
    if len(names) == 1:
        return f"an argument, {names[0]}"
    return f"{', '.join(names[:-1])} and {names[-1]}"


def is_name(name: str) -> bool:
    """Whether it is a name, or a path of names."""
    return all(part.isidentifier() and not keyword.iskeyword(part) for part in name.split("."))
