"""`%twin` and `%%twin`."""

from __future__ import annotations

import ast
import linecache
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any

from IPython.core.magic import Magics, line_cell_magic, magics_class
from IPython.display import display

from torchtwin.kernel.cells import Cell
from torchtwin.kernel.recorder import MAX_CALLS
from torchtwin.kernel.report import Report, summary
from torchtwin.kernel.session import Session
from torchtwin.protocol import Call

WORDS = ("on", "off", "clear", "report")


@magics_class
class TwinMagics(Magics):
    """The magics of one shell."""

    def __init__(self, shell: Any, session: Session) -> None:
        super().__init__(shell)
        self._session = session
        self._actions: dict[str, Callable[[], None]] = {
            "on": session.watch,
            "off": session.unwatch,
            "clear": session.clear,
        }

    @line_cell_magic
    def twin(self, line: str, cell: str | None = None) -> None:
        """`%twin` says what is watched; `%twin on|off|clear|report`; `%%twin` runs the cell and reports its calls."""
        if cell is None:
            self._word(line.strip())
            return
        try:
            self._run_and_report(line, cell)
        except BaseException as error:
            # A bare `raise` adds no entry for this frame: the user reads of their own lines alone.
            error.__traceback__ = _beyond_this_file(error.__traceback__)
            raise

    def _word(self, word: str) -> None:
        if word == "report":
            self._report(after=0)
            return
        if word and word not in self._actions:
            print(unknown_word(word), file=sys.stderr)
            return
        self._actions.get(word, lambda: None)()
        print(summary(self._session.state(), self._session.calls()))

    def _run_and_report(self, line: str, cell: str) -> None:
        """Runs the cell as IPython would, then displays the report, whether the cell raised or not."""
        if line.strip():
            print(f"%%twin takes no argument; {line.strip()!r} was not used.", file=sys.stderr)
        before = self._session.page(0, limit=1).latest
        with self._session.watched():
            try:
                run(self.shell, cell, self._session.cells.running)
            finally:
                self._report(before)

    def _report(self, after: int) -> None:
        """The calls that the cell made, and the earlier ones whose gradients it brought."""
        page = self._session.page(after, MAX_CALLS)
        calls = [envelope.event for envelope in page.envelopes if isinstance(envelope.event, Call)]
        display(Report(sorted(calls, key=lambda call: call.id), page))  # type: ignore[no-untyped-call]


def _beyond_this_file(trace: TracebackType | None) -> TracebackType | None:
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    return trace


def unknown_word(word: str) -> str:
    """What a person reads who mistyped."""
    return f"%twin does not know {word!r}. It takes one of {', '.join(WORDS)}, or nothing for a summary."


def run(shell: Any, cell: str, within: Cell | None) -> None:
    """Executes the body of a cell magic in the user's namespace, and displays the value of a last expression.

    The code keeps the file name and the line numbers of the whole cell, so that breakpoints in it are hit.
    """
    file, offset = _place(cell, within)
    tree = shell.compile.ast_parse("\n" * offset + shell.transform_cell(cell), filename=file)
    ends_in_expression = bool(tree.body) and isinstance(tree.body[-1], ast.Expr)
    shown = [tree.body.pop()] if ends_in_expression and not _is_silenced(shell, cell) else []
    for module, mode in ((tree, "exec"), (ast.Interactive(shown), "single")):  # "single" displays, by the shell's hook
        exec(compile(module, file, mode, shell.compile.flags, dont_inherit=True), shell.user_ns)


def _is_silenced(shell: Any, cell: str) -> bool:
    return bool(shell.displayhook.semicolon_at_end_of_expression(cell))


def _place(cell: str, within: Cell | None) -> tuple[str, int]:
    """The file name of the cell that is running, and how many of its lines stand before the magic's body."""
    body = cell.rstrip("\n")  # IPython appends a newline to the body
    at = within.source.rfind(body) if within and body else -1
    if within is None or at < 0:
        return "<twin>", 0
    # The shell has filed the cell as the one line that calls the magic; tracebacks and names need the user's lines.
    lines = within.source.splitlines(keepends=True)
    linecache.cache[within.file] = (len(within.source), None, lines, within.file)
    return within.file, within.source[:at].count("\n")
