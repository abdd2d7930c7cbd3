"""The user's namespaces: the notebook's, and what code in a frame can name."""

from __future__ import annotations

import dis
import functools
import inspect
import sys
from collections.abc import Iterator, Mapping
from types import CodeType, FrameType
from typing import Any

_REFERENCES_OF_OURS = 3
"""To the snapshot: the frame's, our variable's, and the argument's of `getrefcount`."""
# A function that uses one of these may hold the dict that `frame.f_locals` would refresh (Python before 3.13).
_SEES_ITS_LOCALS = {"locals", "vars", "dir", "eval", "exec"}


def notebook() -> dict[str, Any]:
    """The user's own namespace: the notebook's, or the main script's."""
    return sys.modules["__main__"].__dict__


def visible(frame: FrameType) -> list[Mapping[str, Any]]:
    """The namespaces that code in `frame` can name, nearest first."""
    if not frame.f_code.co_flags & inspect.CO_OPTIMIZED:  # a module's or a cell's own frame
        return [frame.f_globals] if frame.f_locals is frame.f_globals else [frame.f_locals, frame.f_globals]
    return [_function_locals(frame), frame.f_globals]


def _function_locals(frame: FrameType) -> Mapping[str, Any]:
    names = _names(frame.f_code)
    if sys.version_info >= (3, 13):  # f_locals is a view
        return dict.fromkeys(names) | dict(frame.f_locals)
    if _may_hold_its_locals(frame.f_code):
        return dict.fromkeys(names)
    snapshot = frame.f_locals
    found = dict.fromkeys(names) | snapshot  # also those that are not known hide global ones
    # The snapshot would keep the user's tensors alive until the function returns. It stays where somebody else holds
    # it: a debugger while tracing, or a helper that took `sys._getframe(1).f_locals`.
    if sys.gettrace() is None and sys.getrefcount(snapshot) == _REFERENCES_OF_OURS:
        for name in names:
            snapshot.pop(name, None)  # what such a helper itself put there stays
    return found


def _names(code: CodeType) -> tuple[str, ...]:
    return (*code.co_varnames, *code.co_cellvars, *code.co_freevars)


@functools.lru_cache(maxsize=4096)
def _may_hold_its_locals(code: CodeType) -> bool:
    """By the functions that it names; a method of such a name, as in `model.eval()`, is another thing."""
    if "f_locals" in code.co_names:
        return True
    asks = _SEES_ITS_LOCALS.intersection(code.co_names)
    loads = (it for it in dis.get_instructions(code) if it.opname in ("LOAD_GLOBAL", "LOAD_NAME"))
    return bool(asks) and any(it.argval in asks for it in loads)


def shown(names: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What a person would call a variable: no leading underscore (IPython keeps outputs under such names).

    Nor what no person can write, `@py_assert1`: under such names pytest keeps the parts of an assertion.
    """
    return ((name, value) for name, value in list(names.items()) if not name.startswith(("_", "@")))
