"""What a program does not catch: told as Python tells it, without our frames, and Python ends of it."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from types import TracebackType
from typing import NoReturn


def end_with(error: BaseException, ours: str) -> NoReturn:
    """Raises `error` once it is told, so that Python ends with the status, or of the signal, that it would have had.

    `ours`: the file whose frames at the top of the traceback are none of the program's.
    """
    trace = error.__traceback__ = _without(ours, error.__traceback__)
    _remember(error, trace)
    hook = getattr(sys, "excepthook", sys.__excepthook__)
    _tell(hook, error, trace)

    def silent(*_: object) -> None:
        """In place of the program's hook, as Python tells what is raised here."""
        sys.excepthook = hook
        error.__traceback__ = trace
        _remember(error, trace)

    sys.excepthook = silent
    raise error


def _tell(hook: Callable[..., object], error: BaseException, trace: TracebackType | None) -> None:
    """As `PyErr_Print` does."""
    try:
        hook(type(error), error, trace)
        return
    except SystemExit:
        raise
    except BaseException as caught:
        wrong = caught
    _write("Error in sys.excepthook:\n")
    wrong.__traceback__ = _without(__file__, wrong.__traceback__)
    sys.__excepthook__(type(wrong), wrong, wrong.__traceback__)
    _write("\nOriginal exception was:\n")
    sys.__excepthook__(type(error), error, trace)


def _write(text: str) -> None:
    with contextlib.suppress(Exception):  # it may be closed
        sys.stderr.write(text)


def _remember(error: BaseException, trace: TracebackType | None) -> None:
    """For `pdb.pm`, say, in what runs at exit."""
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, trace
    if sys.version_info >= (3, 12):
        sys.last_exc = error


def _without(ours: str, trace: TracebackType | None) -> TracebackType | None:
    """From the program's first line on; where it has none, as with a syntax error in it, nothing."""
    while trace is not None and trace.tb_frame.f_code.co_filename == ours:
        trace = trace.tb_next
    return trace
