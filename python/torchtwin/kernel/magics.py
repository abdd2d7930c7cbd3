"""`%twin` and `%%twin`, as they are registered with the shell."""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, line_cell_magic, magics_class

from torchtwin.kernel.session import Session
from torchtwin.kernel.twin_cell import ASSERT, REPORT_AT_END, CellReports, PlainCell
from torchtwin.protocol import Call

if TYPE_CHECKING:
    from torchtwin.kernel.twin_line import TwinLine


@magics_class
class TwinMagics(Magics):
    """The magics of one shell."""

    def __init__(self, shell: Any, session: Session) -> None:
        super().__init__(shell)
        self._shell = shell
        self._session = session
        self._plain_cell = PlainCell()
        self._cells = CellReports(shell, session, self._report)

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
        """Shows what the layers of this notebook computed, beside their matmuls.

        `%twin` says what is watched; `%twin on|off|clear|report`; `%twin mode auto|every|shapes` sets which calls are
        checked (`%twin mode auto 5%` of the running time); `%twin a == b` compares two results; `%twin a` tells what is
        known of one; `%twin here` shows the tensors and what the next line will compute; `%%twin` runs the cell, checks
        all its calls and reports them; `%%twin --assert` fails it if one differs.
        """
        if cell is not None:  # called by code, as an exported notebook does; a cell's own `%%twin` is rewritten before
            self._shell.run_cell(f"%%twin {line}\n{cell}").raise_error()
            return
        word, _, rest = line.strip().partition(" ")
        if word == REPORT_AT_END:
            self._begin_cell(rest)
        else:
            self._line.carry_out(line.strip())

    def _begin_cell(self, argument: str) -> None:
        if argument not in ("", ASSERT):
            print(f"%%twin takes {ASSERT} or nothing; {argument!r} was not used.", file=sys.stderr)
        self._cells.begin(must_agree=argument == ASSERT)

    @functools.cached_property
    def _line(self) -> TwinLine:
        # What a question takes is not needed to load the extension.
        from torchtwin.kernel.twin_line import TwinLine

        return TwinLine(self._shell, self._session, self._cells)

    def _report(self, after: int, calls: list[Call]) -> None:
        self._line.report(after, calls)
