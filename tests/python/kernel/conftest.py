"""A notebook in miniature: cells compiled as the shell compiles them, in a namespace of their own."""

from __future__ import annotations

import itertools
import linecache
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from torchtwin.kernel import owners
from torchtwin.kernel.cells import Cell
from torchtwin.kernel.session import Session
from torchtwin.protocol import Call

_numbers = itertools.count(1)


class Notebook:
    """Runs cells under a watch of its own."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.names: dict[str, Any] = {"__name__": "__main__", "torch": torch, "nn": torch.nn, "F": torch.nn.functional}

    def run(self, source: str) -> list[Call]:
        """Runs a cell and returns the calls that it made."""
        before = max((call.id for call in self.session.calls()), default=0)
        number = next(_numbers)
        file = f"<cell {number}>"
        linecache.cache[file] = (len(source), None, [line + "\n" for line in source.splitlines()], file)
        self.session.cell_begins(Cell(f"id-{number}", number, file, source, source))
        try:
            exec(compile(source, file, "exec"), self.names)
        finally:
            self.session.cell_ended()
        assert self.session.guard.report() is None
        return [call for call in self.session.calls() if call.id > before]

    def call(self, source: str) -> Call:
        """Runs a cell that makes one call."""
        (call,) = self.run(source)
        return call

    def again(self, call: Call) -> Call:
        """The call as it is known now."""
        return next(c for c in self.session.calls() if c.id == call.id)


@pytest.fixture
def session() -> Iterator[Session]:
    """A watching session, apart from the process's own."""
    fresh = Session()
    fresh.watch("every")
    yield fresh
    fresh.unwatch()
    assert fresh.guard.report() is None


@pytest.fixture
def notebook(session: Session, monkeypatch: pytest.MonkeyPatch) -> Notebook:
    made = Notebook(session)
    monkeypatch.setattr(owners, "notebook", lambda: made.names)
    for module in ("scopes", "view"):
        monkeypatch.setattr(f"torchtwin.kernel.{module}.notebook", lambda: made.names)
    torch.manual_seed(0)
    return made
