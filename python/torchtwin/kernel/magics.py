"""`%twin` and `%%twin`."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from typing import Any

from IPython.core.magic import Magics, line_cell_magic, magics_class
from IPython.display import display

from torchtwin.kernel.recorder import MAX_CALLS
from torchtwin.kernel.report import Report, summary
from torchtwin.kernel.session import Session
from torchtwin.protocol import Call

WORDS = ("on", "off", "clear", "report")


@magics_class
class TwinMagics(Magics):  # type: ignore[misc]
    """The magics of one shell."""

    def __init__(self, shell: Any, session: Session) -> None:
        super().__init__(shell)
        self._session = session
        self._actions: dict[str, Callable[[], None]] = {
            "on": session.watch,
            "off": session.unwatch,
            "clear": session.clear,
        }

    @line_cell_magic  # type: ignore[untyped-decorator]
    def twin(self, line: str, cell: str | None = None) -> None:
        """`%twin` says what is watched; `%twin on|off|clear|report`; `%%twin` runs the cell and reports its calls."""
        if cell is not None:
            self._run_and_report(line, cell)
        else:
            self._word(line.strip())

    def _word(self, word: str) -> None:
        if word == "report":
            display(self._report(self._session.calls()))
            return
        if word and word not in self._actions:
            print(unknown_word(word), file=sys.stderr)
            return
        self._actions.get(word, lambda: None)()
        print(summary(self._session.state(), self._session.calls()))

    def _report(self, calls: list[Call], after: int = 0) -> Report:
        return Report(calls, self._session.page(after, MAX_CALLS))

    def _run_and_report(self, line: str, cell: str) -> None:
        """Runs the cell as IPython would, then displays the report, whether the cell raised or not."""
        if line.strip():
            print(f"%%twin takes no argument; {line.strip()!r} was not used.", file=sys.stderr)
        last = max((call.id for call in self._session.calls()), default=0)
        seq = self._session.page(0, 1).latest
        watching = self._session.watching
        self._session.watch()
        try:
            run(self.shell, cell)
        finally:
            display(self._report([call for call in self._session.calls() if call.id > last], seq))
            if not watching:
                self._session.unwatch()


def unknown_word(word: str) -> str:
    """What a person reads who mistyped."""
    return f"%twin does not know {word!r}. It takes one of {', '.join(WORDS)}, or nothing for a summary."


def run(shell: Any, cell: str) -> None:
    """Executes the body of a cell magic in the user's namespace, and displays the value of a last expression.

    The code keeps the file name and the line numbers of the whole cell, so that breakpoints in it are hit.
    """
    file, offset = _place(shell, cell)
    tree = shell.compile.ast_parse("\n" * offset + shell.transform_cell(cell), filename=file)
    ends_in_expression = bool(tree.body) and isinstance(tree.body[-1], ast.Expr)
    shown = [tree.body.pop()] if ends_in_expression and not _is_silenced(shell, cell) else []
    for module in (tree, ast.Interactive(shown)):
        mode = "exec" if module is tree else "single"  # "single" displays, by the shell's own hook
        exec(compile(module, file, mode, shell.compile.flags, dont_inherit=True), shell.user_ns)


def _is_silenced(shell: Any, cell: str) -> bool:
    return bool(shell.displayhook.semicolon_at_end_of_expression(cell))


def _place(shell: Any, cell: str) -> tuple[str, int]:
    """The file name of the cell that is running, and how many of its lines stand before `cell`."""
    raw = shell.history_manager.input_hist_raw[-1] if shell.history_manager else ""
    body = cell.rstrip("\n")  # IPython appends a newline to the body
    at = raw.rfind(body) if body else -1
    if at < 0:
        return "<twin>", 0
    name: str = shell.compile.get_code_name(raw, shell.transform_cell(raw), shell.execution_count - 1)
    return name, raw[:at].count("\n")
