"""`%twin` and `%%twin`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from IPython.core.magic import Magics, line_cell_magic, magics_class
from IPython.display import display

from torchtwin.kernel.recorder import MAX_CALLS
from torchtwin.kernel.report import Report, summary
from torchtwin.kernel.session import Session
from torchtwin.kernel.twin_cell import REPORT_AT_END, CellReports, PlainCell
from torchtwin.protocol import Call

WORDS = ("on", "off", "clear", "report")


@magics_class
class TwinMagics(Magics):
    """The magics of one shell."""

    def __init__(self, shell: Any, session: Session) -> None:
        super().__init__(shell)
        self._shell = shell
        self._session = session
        self._plain_cell = PlainCell()
        self._cells = CellReports(shell, session, self._report)
        self._actions: dict[str, Callable[[], None]] = {
            "on": self._on,
            "off": session.unwatch,
            "clear": session.clear,
        }

    def register(self) -> None:
        self._shell.register_magics(self)
        self._shell.input_transformers_cleanup.append(self._plain_cell)
        self._cells.start()

    def unregister(self) -> None:
        """What `register` did; for the magics themselves IPython has no word."""
        self._cells.stop()
        self._shell.input_transformers_cleanup.remove(self._plain_cell)
        for kind in ("line", "cell"):
            self._shell.magics_manager.magics[kind].pop("twin", None)
        self._shell.magics_manager.registry.pop(type(self).__name__, None)
        if self in self._shell.configurables:
            self._shell.configurables.remove(self)

    @line_cell_magic
    def twin(self, line: str, cell: str | None = None) -> None:
        """`%twin` says what is watched; `%twin on|off|clear|report`; `%%twin` runs the cell and reports its calls."""
        if cell is not None:  # called by code, as an exported notebook does; a cell's own `%%twin` is rewritten before
            self._shell.run_cell(f"%%twin {line}\n{cell}").raise_error()
            return
        word, _, rest = line.strip().partition(" ")
        if word == REPORT_AT_END:
            self._begin_cell(rest)
        else:
            self._word(line.strip())

    def _on(self) -> None:
        self._session.watch()
        self._cells.keep_watching()

    def _begin_cell(self, argument: str) -> None:
        if argument:
            print(f"%%twin takes no argument; {argument!r} was not used.", file=sys.stderr)
        self._cells.begin()

    def _word(self, word: str) -> None:
        if word == "report":
            self._report(after=0)
            return
        if word and word not in self._actions:
            print(unknown_word(word), file=sys.stderr)
            return
        self._actions.get(word, lambda: None)()
        print(summary(self._session.state(), self._session.calls()))

    def _report(self, after: int) -> None:
        """The calls since `after`, and the earlier ones whose gradients came since."""
        page = self._session.page(after, MAX_CALLS)
        calls = [envelope.event for envelope in page.envelopes if isinstance(envelope.event, Call)]
        display(Report(sorted(calls, key=lambda call: call.id), page))  # type: ignore[no-untyped-call]


def unknown_word(word: str) -> str:
    """What a person reads who mistyped."""
    return f"%twin does not know {word!r}. It takes one of {', '.join(WORDS)}, or nothing for a summary."
