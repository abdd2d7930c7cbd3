"""The user's namespaces: the notebook's, and what code in a frame can name."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping
from types import FrameType
from typing import Any

_REFERENCES_OF_OURS = 3
"""To the snapshot: the frame's, our variable's, and the argument's of `getrefcount`."""
# A function that uses one of these may hold the dict that `frame.f_locals` would refresh (Python before 3.13).
_SEES_ITS_LOCALS = {"locals", "vars", "dir", "eval", "exec", "f_locals"}


def notebook() -> dict[str, Any]:
    """The user's own namespace: the notebook's, or the main script's."""
    return sys.modules["__main__"].__dict__


def visible(frame: FrameType) -> list[Mapping[str, Any]]:
    """The namespaces that code in `frame` can name, nearest first."""
    if not frame.f_code.co_flags & inspect.CO_OPTIMIZED:  # a module's or a cell's own frame
        return [frame.f_globals] if frame.f_locals is frame.f_globals else [frame.f_locals, frame.f_globals]
    return [_function_locals(frame), frame.f_globals]


def _function_locals(frame: FrameType) -> Mapping[str, Any]:
    if sys.version_info >= (3, 13):  # f_locals is a view
        return dict(frame.f_locals)
    if _SEES_ITS_LOCALS.intersection(frame.f_code.co_names):
        return {}
    snapshot = frame.f_locals
    found = dict(snapshot)
    # The snapshot would keep the user's tensors alive until the function returns. It stays where somebody else holds
    # it: a debugger while tracing, or a helper that took `sys._getframe(1).f_locals`.
    if sys.gettrace() is None and sys.getrefcount(snapshot) == _REFERENCES_OF_OURS:
        for name in (*frame.f_code.co_varnames, *frame.f_code.co_cellvars, *frame.f_code.co_freevars):
            snapshot.pop(name, None)  # what such a helper itself put there stays
    return found


def shown(names: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What a person would call a variable: no leading underscore (IPython keeps outputs under such names)."""
    return ((name, value) for name, value in list(names.items()) if not name.startswith("_"))
