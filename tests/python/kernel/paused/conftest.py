"""A debugger in miniature: it stops at a line, or behind a call, and looks at the frame that stands there."""

from __future__ import annotations

import contextlib
import dis
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from tests.python.kernel.conftest import Notebook

from torchtwin.kernel.paused.inspection import inspect
from torchtwin.kernel.paused.place import Place, place
from torchtwin.protocol.paused import PausedFrame, Product


def stopped(frame: FrameType) -> Place:
    names = frame.f_locals
    spaces = (frame.f_globals,) if names is frame.f_globals else (dict(names), frame.f_globals)
    return Place(frame, frame.f_lasti, frame.f_lineno, "stopped", spaces)


class Stops:
    def __init__(self, notebook: Notebook) -> None:
        self.notebook = notebook

    def at(self, source: str, words: str, calls: int = 0, nth: int = 0) -> PausedFrame:
        """The frame that comes to the line with the words, for the `nth` time, or back to it from so many calls."""
        seen: list[PausedFrame] = []
        line = source[: source.index(words)].count("\n") + 1
        returns: dict[FrameType, int] = {}

        def trace(frame: FrameType, event: str, arg: Any) -> Any:
            if not frame.f_code.co_filename.startswith("<cell"):
                return None
            frame.f_trace_opcodes = calls > 0
            stands = frame.f_lineno == line and event == ("opcode" if calls else "line")
            if stands and len(seen) <= nth and self._made(frame, returns) >= calls:
                seen.append(self.look(stopped(frame)))
            return trace

        self._run(source, trace)
        return seen[nth]

    def asked(self, source: str) -> PausedFrame:
        """What `look()` sees in the source, of the frame that calls it."""
        seen: list[PausedFrame] = []
        self.notebook.names["look"] = lambda: seen.append(self.look(place(sys._getframe(1))))
        self._run(source, None)
        return seen[0]

    def products(self, source: str, words: str, calls: int = 0) -> list[Product]:
        return self.at(source, words, calls).products

    def look(self, at: Place) -> PausedFrame:
        found = inspect(self.notebook.session, at)
        assert self.notebook.session.guard.report() is None
        return found

    def _made(self, frame: FrameType, before: dict[FrameType, int]) -> int:
        """How many calls of the line the frame has behind it."""
        ahead = [it for it in dis.get_instructions(frame.f_code) if it.opname == "CALL"]
        on_line = [it for it in ahead if it.positions is not None and it.positions.end_lineno == frame.f_lineno]
        return sum(it.offset < frame.f_lasti for it in on_line)

    def _run(self, source: str, trace: Callable[..., Any] | None) -> None:
        before = sys.gettrace()
        sys.settrace(trace)
        try:
            with contextlib.suppress(RuntimeError, TypeError):
                self.notebook.run(source)
        finally:
            sys.settrace(before)


@pytest.fixture
def stops(notebook: Notebook) -> Stops:
    return Stops(notebook)
