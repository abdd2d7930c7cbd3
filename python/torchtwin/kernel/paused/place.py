"""Which frame a person means who asks while a debugger has stopped, from within it, or after an error."""

from __future__ import annotations

import bdb
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Any, Literal

from torchtwin.kernel import scopes

State = Literal["stopped", "asked", "inside", "raised"]
"""`stopped`: before the instruction; `asked`: the frame's own code asks; `inside`: a call of the frame's runs;
`raised`: the instruction did."""
_OURS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))) + os.sep
_RUN_WHAT_IS_TYPED = {"default", "_getval", "_getval_except", "_exec_in_closure", "_exec_await"}
"""Methods of a debugger derived from `pdb`; to read the variables of any other caller would keep the user's alive."""
_PDBS = {bdb.__file__, os.path.join(os.path.dirname(bdb.__file__), "pdb.py")}
_IPDBS = ("/IPython/core/debugger.py", "/IPython/terminal/debugger.py")
_STOPS_WHERE_IT_IS_CALLED = {"set_trace", "breakpoint"}
"""What `breakpoint()` runs; from Python 3.13 on pdb does not wait for the next line."""
_NEAR = 6
"""Frames between what debugpy evaluates and its function that knows the frame."""


@dataclass(frozen=True)
class Place:
    """A frame, and where in it the program is. Holds the frame, so it must not outlive the question."""

    frame: FrameType
    instruction: int
    """As `f_lasti`."""
    line: int
    state: State
    spaces: tuple[Mapping[str, Any], ...]
    """What its code can name, nearest first."""
    error: Exception | None = None
    """What it raised."""
    has_called: bool = False
    """Of a stopped frame, whether it was the instruction that called the debugger."""


def place(frame: FrameType) -> Place:
    """What is meant by whoever asks in `frame`: itself, or the frame in which a debugger evaluates it."""
    return _in_debugpy(frame) or _in_pdb(frame) or _asking(frame)


def asker(frame: FrameType) -> FrameType:
    """The first frame that is not ours, nor IPython's for a magic."""
    at = frame
    while at.f_back is not None and (_is_ours(at) or _is_ipythons(at)):
        at = at.f_back
    return at


def _asking(frame: FrameType) -> Place:
    return Place(frame, frame.f_lasti, frame.f_lineno, "asked", tuple(scopes.visible(frame)))


def _in_debugpy(frame: FrameType) -> Place | None:
    """debugpy evaluates in a namespace that it makes of the frame's, in a function that has the frame itself."""
    at: FrameType | None = frame.f_back
    for _ in range(_NEAR):
        if at is None or not _is_debuggers(at):
            return None
        if at.f_code.co_name == "evaluate_expression":
            chosen = at.f_locals.get("frame")
            return _stopped(chosen, at, _spaces(chosen)) if isinstance(chosen, FrameType) else None
        at = at.f_back
    return None


def _in_pdb(frame: FrameType) -> Place | None:
    """pdb runs what is typed in the namespaces of the frame that `up` and `down` have chosen.

    Those are taken from what it runs: to read the frame's own anew would undo what was assigned at the prompt.
    """
    caller = frame.f_back
    if caller is None or caller.f_code.co_name not in _RUN_WHAT_IS_TYPED or not _is_method(caller):
        return None
    debugger = caller.f_locals.get("self")
    if not isinstance(debugger, bdb.Bdb):
        return None
    chosen = getattr(debugger, "curframe", None)
    if not isinstance(chosen, FrameType):
        return None
    is_module = frame.f_locals is frame.f_globals
    spaces = (frame.f_globals,) if is_module else (dict(frame.f_locals), frame.f_globals)
    raised = _raised(chosen, caller, spaces)
    return raised or _stopped(chosen, caller, spaces)


def _is_method(frame: FrameType) -> bool:
    return frame.f_code.co_varnames[:1] == ("self",)


def _spaces(frame: FrameType) -> tuple[Mapping[str, Any], ...]:
    names = frame.f_locals
    return (frame.f_globals,) if names is frame.f_globals else (dict(names), frame.f_globals)


def _stopped(chosen: FrameType, asking: FrameType, spaces: tuple[Mapping[str, Any], ...]) -> Place:
    """A frame that has not ended: whether a debugger stands right above it, or a call that it made."""
    if (error := _raising(chosen, spaces)) is not None:
        return Place(chosen, chosen.f_lasti, chosen.f_lineno, "raised", spaces, error)
    newest = [asking, *sys._current_frames().values()]
    newer = next((it for start in newest if (it := _called_by(chosen, start)) is not None), None)
    is_inside = newer is not None and not _is_debuggers(newer)
    has_called = newer is not None and newer.f_code.co_name in _STOPS_WHERE_IT_IS_CALLED
    state: State = "inside" if is_inside else "stopped"
    return Place(chosen, chosen.f_lasti, chosen.f_lineno, state, spaces, has_called=has_called)


def _called_by(chosen: FrameType, newest: FrameType) -> FrameType | None:
    """The frame that runs on top of the chosen one."""
    newer: FrameType | None = None
    at: FrameType | None = newest
    while at is not None and at is not chosen:
        newer, at = at, at.f_back
    return newer if at is chosen else None


def _noted(spaces: tuple[Mapping[str, Any], ...]) -> tuple[Exception | None, TracebackType | None]:
    """The error at which a debugger has stopped: it leaves it among the frame's variables while it stands there."""
    noted = spaces[0].get("__exception__")
    parts = noted if type(noted) is tuple else ()
    error = parts[1] if len(parts) > 1 and isinstance(parts[1], Exception) else None
    traceback = parts[2] if len(parts) > 2 and isinstance(parts[2], TracebackType) else None
    return error, traceback or (error.__traceback__ if error is not None else None)


def _raising(chosen: FrameType, spaces: tuple[Mapping[str, Any], ...]) -> Exception | None:
    """The same, unless the frame has gone on since."""
    error, traceback = _noted(spaces)
    entries = [it for it in _entries(traceback) if it.tb_frame is chosen]
    return error if entries and entries[-1].tb_lasti == chosen.f_lasti else None


def _raised(chosen: FrameType, asking: FrameType, spaces: tuple[Mapping[str, Any], ...]) -> Place | None:
    """A frame of a traceback, which tells where it was when the error came; later its handlers may have run on."""
    for error, traceback in _tracebacks(asking):
        for entry in _entries(traceback):
            if entry.tb_frame is chosen:
                return Place(chosen, entry.tb_lasti, entry.tb_lineno, "raised", spaces, error or _noted(spaces)[0])
    return None


def _tracebacks(asking: FrameType) -> Iterator[tuple[Exception | None, TracebackType]]:
    """Those that pdb was started with, where it was: `interaction(None, traceback)`."""
    known = [getattr(sys, "last_exc", None), getattr(sys, "last_value", None)]
    at: FrameType | None = asking
    while at is not None and at.f_code.co_name != "interaction":
        at = at.f_back
    given = [] if at is None else list(at.f_locals.values())
    if not any(isinstance(it, TracebackType | BaseException) for it in given):
        return  # it stands in a program that runs
    errors = [error for it in (*given, *known) if isinstance(it, BaseException) for error in _chain(it)]
    for error in errors:
        if error.__traceback__ is not None:
            yield (error if isinstance(error, Exception) else None), error.__traceback__
    yield from ((None, it) for it in given if isinstance(it, TracebackType))


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        yield at
        at = at.__cause__ or at.__context__


def _entries(traceback: TracebackType | None) -> Iterator[TracebackType]:
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next


def _is_debuggers(frame: FrameType) -> bool:
    """By the file alone: of pydevd, bdb, pdb or IPython's debugger."""
    file = frame.f_code.co_filename
    path = file.replace("\\", "/")
    return file in _PDBS or path.endswith(_IPDBS) or "/pydevd" in path or "/debugpy/" in path


def _is_ours(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(_OURS)


def _is_ipythons(frame: FrameType) -> bool:
    path = frame.f_code.co_filename.replace("\\", "/")
    return "/IPython/core/" in path and not path.endswith(_IPDBS)
