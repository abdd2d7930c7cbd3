"""Which notebook cell a piece of code belongs to."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import msgspec

from torchtwin.kernel.bindings import bound_by_loops
from torchtwin.kernel.texts import file_text
from torchtwin.protocol import Site

if TYPE_CHECKING:  # it needs torch, which may not be imported yet
    from torchtwin.kernel.callsite import Text

MAX_CELLS = 2000


class Cell(msgspec.Struct, frozen=True):
    id: str | None
    """The notebook's own id of the cell; null in a terminal."""
    execution_count: int
    file: str = ""
    """The name under which its code is compiled."""
    source: str = ""
    """As the user typed it."""
    python: str = ""
    """As it is compiled: its magics are calls."""
    offset: int = 0
    """Lines of the notebook's cell above this source, which `%%capture` and its like run as a cell within the cell."""


class Cells:
    """The cells that ran, by the file name under which their code was compiled."""

    def __init__(self) -> None:
        self._by_file: OrderedDict[str, Cell] = OrderedDict()
        self._running: list[Cell] = []
        self._depth = 0
        self.loop_variables: set[str] = set()
        """The notebook's names that were bound by a loop last, as `p` by `for p in fc.parameters()`."""

    @property
    def running(self) -> Cell | None:
        """The cell that runs, or ran last."""
        return self._running[-1] if self._running else None

    @property
    def began(self) -> bool:
        """Whether any cell has: else this is no notebook."""
        return bool(self._running)

    @property
    def is_running(self) -> bool:
        return self._depth > 0

    def begins(self, cell: Cell) -> None:
        """`cell` is about to run, perhaps within another."""
        cell = _within(self._running[-1], cell) if self._depth else cell
        self._running = [*self._running[: self._depth], cell]
        self._depth += 1
        bound = bound_by_loops(cell.python)
        self.loop_variables -= bound.keys()
        self.loop_variables |= {name for name, by_loop in bound.items() if by_loop}
        if cell.python:
            file_text(cell.file, cell.python)
        self._by_file[cell.file] = cell
        self._by_file.move_to_end(cell.file)
        if len(self._by_file) > MAX_CELLS:
            self._by_file.popitem(last=False)

    def ended(self) -> None:
        """The innermost running cell has ended; the outermost is remembered."""
        self._depth = max(self._depth - 1, 0)
        self._running = self._running[: max(self._depth, 1)]

    def site(self, text: Text) -> Site:
        """The place of a call: a cell if one ran under this file name, else the file."""
        return self.site_of(text.file, text.line, text.source)

    def site_of(self, file: str, line: int, source: str | None) -> Site:
        """The same of a line whose words are `source`."""
        cell = self._by_file.get(file)
        if cell is None and file.startswith("<") and self.running is not None:
            # `%%time` and its like compile the body under a name of their own, without lines to show
            return Site(cell_id=self.running.id, execution_count=self.running.execution_count)
        if cell is None:
            return Site(file=file, line=line, source=source)
        line += cell.offset
        return Site(cell_id=cell.id, execution_count=cell.execution_count, line=line, source=source)


def _within(outer: Cell, inner: Cell) -> Cell:
    """`inner` as a part of the notebook's cell, if it has no id of its own and its text stands in there."""
    at = outer.source.rfind(inner.source.rstrip("\n")) if inner.source.strip() else -1
    if inner.id is not None or at < 0:
        return inner
    above = outer.source[:at].count("\n")
    return msgspec.structs.replace(
        inner, id=outer.id, execution_count=outer.execution_count, offset=outer.offset + above
    )
