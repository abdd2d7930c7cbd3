"""Looking at a frame keeps nothing alive, and a fault of ours costs no more than its part."""

from __future__ import annotations

import gc
import sys
import weakref

import pytest
import torch
from tests.python.kernel.conftest import Notebook
from tests.python.kernel.paused.conftest import Stops

from torchtwin.kernel.paused.inspection import inspect
from torchtwin.kernel.paused.place import place

SOURCE = "x = torch.ones(4, 3)\nfc = nn.Linear(3, 2)\ny = fc(x)"


def test_no_tensor_lives_longer_for_it(notebook: Notebook) -> None:
    def look() -> None:
        inspect(notebook.session, place(sys._getframe(1)))

    def run() -> weakref.ref[torch.Tensor]:
        held = torch.ones(4, 3)
        kept = weakref.ref(held)
        look()
        del held
        return kept  # while the function still runs

    def inner() -> bool:
        held = torch.ones(4, 3)
        kept = weakref.ref(held)
        look()
        del held
        return kept() is None

    notebook.names["fc"] = torch.nn.Linear(3, 2)
    gc.disable()
    try:
        assert inner()
        assert run()() is None
    finally:
        gc.enable()


def test_the_caller_of_who_asks_is_not_looked_into(notebook: Notebook) -> None:
    def look() -> None:
        inspect(notebook.session, place(sys._getframe(1)))

    def caller(self: object) -> bool:
        held = torch.ones(2)
        kept = weakref.ref(held)
        (lambda: look())()
        del held
        return kept() is None

    assert caller(None)


def test_a_fault_in_reading_the_line_leaves_the_tensors(stops: Stops, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torchtwin.kernel.paused.ahead.statement", lambda place: 1 / 0)
    caught: list[Exception] = []
    monkeypatch.setattr(stops.notebook.session.guard, "caught", caught.append)
    found = stops.at(SOURCE, "y = fc(x)")
    assert found.unknown == "a fault of Torchtwin's own (ZeroDivisionError)"
    assert [it.name for it in found.tensors] == ["x"]
    assert len(caught) == 1


def test_the_place_is_the_cell_that_a_call_there_would_have(stops: Stops) -> None:
    found = stops.at(SOURCE, "y = fc(x)")
    call = stops.notebook.session.calls()[-1]
    assert found.site == call.site


def test_looking_twice_tells_the_same(stops: Stops) -> None:
    assert stops.at(SOURCE, "y = fc(x)").products == stops.at(SOURCE, "y = fc(x)").products
