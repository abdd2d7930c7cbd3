"""Which notebook cell a piece of code belongs to."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torchtwin.protocol import Site

if TYPE_CHECKING:  # it needs torch, which may not be imported yet
    from torchtwin.kernel.callsite import Text

MAX_CELLS = 2000


@dataclass(frozen=True)
class Cell:
    id: str | None
    """The notebook's own id of the cell; null in a terminal."""
    execution_count: int
    file: str = ""
    """The name under which its code is compiled."""
    source: str = ""
    """As the user typed it."""


class Cells:
    """The cells that ran, by the file name under which their code was compiled."""

    def __init__(self) -> None:
        self._by_file: OrderedDict[str, Cell] = OrderedDict()
        self.running: Cell | None = None
        """The cell that runs, or ran last."""

    def begins(self, cell: Cell) -> None:
        """`cell` is about to run."""
        self.running = cell
        self._by_file[cell.file] = cell
        self._by_file.move_to_end(cell.file)
        if len(self._by_file) > MAX_CELLS:
            self._by_file.popitem(last=False)

    def site(self, text: Text) -> Site:
        """The place of a call: a cell if one ran under this file name, else the file."""
        cell = self._by_file.get(text.file)
        if cell is None and text.file.startswith("<") and self.running is not None:
            # `%%time` and its like compile the body under a name of their own, without lines to show
            return Site(cell_id=self.running.id, execution_count=self.running.execution_count)
        if cell is None:
            return Site(file=text.file, line=text.line, source=text.source)
        return Site(cell_id=cell.id, execution_count=cell.execution_count, line=text.line, source=text.source)
