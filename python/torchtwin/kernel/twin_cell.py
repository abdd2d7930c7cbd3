"""`%%twin`: IPython runs the cell itself, as if the first line were not there, and the report follows at its end.

So whatever IPython does for a cell holds here too: top-level `await`, `ast_node_interactivity`, breakpoints,
tracebacks. A cell magic that executed its body itself could not even await, while the kernel's loop runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec
from IPython.core.inputtransformer2 import cell_magic, leading_indent

from torchtwin.kernel.session import Lent, Session
from torchtwin.protocol import Call, Gradients

ASSERT = "--assert"
"""The argument of `%%twin` that fails the cell if a twin or a match in it is different."""
REPORT_AT_END = "--cell"
"""The argument of `%twin` that stands for `%%twin`, within the cell that it becomes."""
_FIRST_LINE = re.compile(r"%%twin(?=\s)(?P<argument>.*)")


class PlainCell:
    """An input transformer for IPython: a line that starts the report in place of `%%twin`, the others as they are."""

    # IPython then leaves it out when it asks whether an input is complete: a cell magic waits for an empty line.
    has_side_effects = True

    def __call__(self, lines: list[str]) -> list[str]:
        first = _FIRST_LINE.match(lines[0]) if lines else None
        start = next((at for at, line in enumerate(lines) if at and line.strip()), None)
        if first is None or start is None:  # IPython has its own words for a magic without a body
            return lines
        argument = f"{REPORT_AT_END} {first['argument'].strip()}".rstrip()
        begin = f"get_ipython().run_line_magic('twin', {argument!r})\n"
        body = cell_magic(leading_indent(lines[start:]))  # type: ignore[no-untyped-call]
        return [begin, *lines[1:start], *body]


class _Begun(msgspec.Struct, frozen=True):
    """A cell whose report is due."""

    depth: int
    """How many cells it runs within, itself included."""
    after: int
    """The sequence number before its first call."""
    lent: Lent
    """The watch, in mode `every` for this cell."""
    must_agree: bool
    """Whether the cell fails if something in it differs."""
    gradients: dict[int, Gradients]
    """What was known of those of the earlier calls."""

    def concerns(self, call: Call, changed: set[str]) -> bool:
        """Whether a call was made in the cell, or a gradient or a variable of the cell belongs to it."""
        is_told = any(match.name in changed for match in call.matches)
        return is_told or self.gradients.get(call.id) is not call.gradients


class CellReports:
    """Reports the calls of each `%%twin` cell when it has ended, whether it raised or not."""

    def __init__(self, shell: Any, session: Session, report: Callable[[int, list[Call]], None]) -> None:
        self._shell = shell
        self._events = shell.events
        self._session = session
        self._report = report
        """Displays calls, with the page of what happened after a sequence number."""
        self._depth = 0
        self._due: list[_Begun] = []

    def start(self) -> None:
        self._events.register("pre_execute", self._cell_begins)
        self._events.register("post_execute", self._cell_ended)

    def stop(self) -> None:
        self._events.unregister("pre_execute", self._cell_begins)
        self._events.unregister("post_execute", self._cell_ended)
        self._due.clear()

    def begin(self, must_agree: bool = False) -> None:
        """The cell that runs is to be watched, and reported."""
        self._session.guard(self._begin)(must_agree)

    def _begin(self, must_agree: bool) -> None:
        after = self._session.page(0, limit=1).latest
        gradients = {call.id: call.gradients for call in self._session.calls()}
        session = self._session
        self._due.append(_Begun(self._depth, after, session.lend("every"), must_agree, gradients))

    def _cell_begins(self) -> None:
        self._depth += 1

    def _cell_ended(self) -> None:
        last = self._shell.last_execution_result
        if last is not None and not (last.info.raw_cell or "").strip():  # its beginning was not told
            return
        while self._due and self._due[-1].depth >= self._depth:
            self._end(self._due.pop())
        self._depth = max(self._depth - 1, 0)

    def _end(self, begun: _Begun) -> None:
        self._session.guard(self._tell)(begun)
        self._session.guard(self._session.take_back)(begun.lent)

    def _tell(self, begun: _Begun) -> None:
        from torchtwin.kernel.report_model import differences, of_cell  # not needed to load the extension

        changed = self._session.match(patient=begun.must_agree)
        calls = [of_cell(call, changed) for call in self._session.calls() if begun.concerns(call, changed)]
        self._report(begun.after, calls)
        if begun.must_agree:
            self._fail_by([line for call in calls for line in differences(call, changed)])

    def _fail_by(self, told: list[str]) -> None:
        """As if the cell's last line had raised; a cell that raised already fails by that."""
        result = self._shell.last_execution_result
        if result is None or not result.success:
            return
        if told:
            result.error_in_exec = AssertionError("\n".join(told))
            error = (AssertionError, result.error_in_exec, None)
            self._shell.showtraceback(error, exception_only=True)
