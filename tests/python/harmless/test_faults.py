"""A fault of our own, at whatever stage, costs the user nothing: their code goes on, and the fault is counted and told.

Each stage of `STAGES` is a function that is made to raise. To adapt the table: the words for the stage, and the
function's dotted name.
"""

from __future__ import annotations

import importlib
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from torch import Tensor
from traitlets.config import Config

from torchtwin.kernel import extension
from torchtwin.kernel.flush import Flush
from torchtwin.kernel.session import Session
from torchtwin.protocol import Page

SETUP = """\
import torch
from torch import nn
from torch.nn import functional as F
torch.manual_seed(0)
fc, enc = nn.Linear(3, 2), nn.TransformerEncoderLayer(4, 2, 8, batch_first=True).eval()
x, target = torch.randn(4, 3, requires_grad=True), torch.randn(4, 2)
"""
CELLS = [
    "y = fc(x)\n(y - target).square().sum().backward()\nfirst = fc.weight.grad.clone()",
    "by_hand = x @ fc.weight.T + fc.bias\nz = F.linear(x, fc.weight)\nz.sum().backward()",
    "try:\n    fc(torch.ones(1, 5))\nexcept RuntimeError as error:\n    said = str(error)",
    "with torch.no_grad():\n    e = enc(torch.ones(1, 2, 4))",
    "%%twin\nafter = fc(x)",
    "%twin",
]
"""What the user runs: layers forward and backward, a failing call, the fast path, and our own words."""
RESULTS = ["y", "first", "by_hand", "z", "e", "after", "fc.weight.grad", "fc.bias.grad", "x.grad"]

STAGES = {
    "tap, a call returned": "torchtwin.kernel.observe.Recording._returned",
    "tap, a call raised": "torchtwin.kernel.failures.Failures.told",
    "call site": "torchtwin.kernel.callsite.caller",
    "source": "torchtwin.kernel.callsite.words_of_call",
    "naming": "torchtwin.kernel.naming.Namer.names",
    "expression": "torchtwin.kernel.observe.expression",
    "rank": "torchtwin.kernel.observe.rank",
    "check": "torchtwin.kernel.observe.check_output",
    "coverage": "torchtwin.kernel.observe.reason_not_to_check",
    "failure": "torchtwin.kernel.failure.explain",
    "recorder, a new call": "torchtwin.kernel.recorder.Recorder.add",
    "recorder, a changed call": "torchtwin.kernel.recorder.Recorder.update",
    "past, a call": "torchtwin.kernel.past.Past.hold",
    "past, a pass": "torchtwin.kernel.past.Past.hold_pass",
    "gradient, hooks put on": "torchtwin.kernel.gradient.GradientCheck.watch",
    "gradient, in the hook": "torchtwin.kernel.gradient._shares",
    "gradient, its output": "torchtwin.kernel.gradient._grad_output",
    "passes, hooks put on": "torchtwin.kernel.passes.Passes.watch",
    "passes, what is expected": "torchtwin.kernel.passes.Arrival.expect",
    "passes, in the hook": "torchtwin.kernel.passes._count",
    "passes, at the end of backward": "torchtwin.kernel.passes._remember",
    "cell begins": "torchtwin.kernel.cells.Cells.begins",
    "cell begins, names forgotten": "torchtwin.kernel.naming.Namer.forget",
    "cell ends": "torchtwin.kernel.cells.Cells.ended",
    "tensor table": "torchtwin.kernel.tensors.TensorTable.after_cell",
    "matches": "torchtwin.kernel.comparing.matches.Matcher.after_cell",
    "unseen, a look": "torchtwin.kernel.unseen.Lookout.look",
    "unseen, a fused run": "torchtwin.kernel.fused.FusedRuns._count",
    "state": "torchtwin.kernel.recorder.Recorder.say",
    "page": "torchtwin.kernel.recorder.Recorder.page",
    "report": "torchtwin.kernel.report.Report.__init__",
    "report, text": "torchtwin.kernel.report.text",
    "summary": "torchtwin.kernel.twin_line.summary",
}


class Injected(Exception):
    """The fault."""


class Fault:
    """Puts a function that raises in the place of one of ours, until it is mended."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, target: str) -> None:
        self.is_mended = False
        owner, name = _owner(target)
        working = getattr(owner, name)

        def faulty(*args: Any, **named: Any) -> Any:
            if not self.is_mended:
                raise Injected("here")
            return working(*args, **named)

        monkeypatch.setattr(owner, name, faulty)


def _owner(target: str) -> tuple[Any, str]:
    """The module or class that holds a function, and the function's name."""
    path, _, name = target.rpartition(".")
    try:
        return importlib.import_module(path), name
    except ModuleNotFoundError:
        owner, attribute = _owner(path)
        return getattr(owner, attribute), name


@dataclass
class Ran:
    """What the user sees of a run."""

    results: dict[str, Tensor]
    said: str
    session: Session
    shell: Any = None


Run = Callable[[], Ran]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Run]:
    """Runs the cells in a shell of their own, under a session of their own."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    loaded: list[InteractiveShell] = []

    def run_cells() -> Ran:
        config = Config()
        config.HistoryManager.enabled = False
        shell = InteractiveShell(config=config)
        for module in ("scopes", "view", "owners"):
            monkeypatch.setattr(f"torchtwin.kernel.{module}.notebook", lambda: shell.user_ns, raising=False)
        session = Session()
        monkeypatch.setattr(extension, "session", session)
        shell.run_cell(SETUP).raise_error()
        loaded.append(shell)
        extension.load(shell)
        for cell in CELLS:
            shell.run_cell(cell, store_history=True).raise_error()
        results = {words: eval(words, shell.user_ns).detach().clone() for words in RESULTS}
        return Ran(results, shell.user_ns["said"], session, shell)

    yield run_cells
    monkeypatch.undo()
    for shell in loaded:
        extension.unload(shell)


@pytest.fixture(scope="module")
def plain() -> Ran:
    """What the cells give without us."""
    names: dict[str, Any] = {}
    for cell in (SETUP, *CELLS):
        if cell != "%twin":
            exec(cell.removeprefix("%%twin\n"), names)
    return Ran({words: eval(words, names).detach() for words in RESULTS}, names["said"], Session())


def assert_unharmed(ran: Ran, plain: Ran) -> None:
    for words, result in plain.results.items():
        assert torch.equal(ran.results[words], result), words
    assert ran.said == plain.said


def test_without_a_fault_none_is_told(run: Run, plain: Ran) -> None:
    ran = run()
    assert_unharmed(ran, plain)
    assert ran.session.state().internal_errors is None
    assert len(ran.session.latest(10_000)) == 4


@pytest.mark.parametrize("stage", STAGES)
def test_the_users_code_goes_on_and_the_fault_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], run: Run, plain: Ran, stage: str
) -> None:
    Fault(monkeypatch, STAGES[stage])
    ran = run()
    assert_unharmed(ran, plain)
    told = ran.session.state().internal_errors
    assert told is not None
    assert told.count >= 1
    assert "Injected: here" in told.first
    assert "Traceback (most recent call last)" in told.first
    seen = capsys.readouterr()
    assert "Traceback" not in seen.out + seen.err


@pytest.mark.parametrize("stage", STAGES)
def test_after_the_fault_calls_are_recorded_as_before(monkeypatch: pytest.MonkeyPatch, run: Run, stage: str) -> None:
    fault = Fault(monkeypatch, STAGES[stage])
    session = run().session
    fault.is_mended = True
    before, fc = len(session.latest(10_000)), torch.nn.Linear(3, 2)
    fc(torch.ones(1, 3)).sum().backward()
    assert len(session.latest(10_000)) == before + 1
    session.unwatch()


# the flush thread


def flushed(send: Callable[[Page], None]) -> tuple[Flush, Session]:
    session = Session()
    flush = Flush(session.recorder, send, session.guard)
    flush.begin()
    return flush, session


def until(done: Callable[[], bool]) -> None:
    for _ in itertools.takewhile(lambda _: not done(), range(200)):
        time.sleep(0.05)


def test_a_fault_in_sending_is_told_and_the_next_page_is_sent() -> None:
    sent: list[Page] = []

    def send(page: Page) -> None:
        sent.append(page)
        if len(sent) == 1:
            raise Injected("here")

    flush, session = flushed(send)
    session.say_state()
    until(lambda: len(sent) == 1)
    session.watch()
    until(lambda: len(sent) == 2)
    flush.end()
    session.unwatch()
    assert len(sent) >= 2
    told = session.state().internal_errors
    assert told is not None
    assert (told.count, "Injected: here" in told.first) == (1, True)


def test_a_fault_in_making_a_page_is_told_and_the_next_page_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Page] = []
    fault = Fault(monkeypatch, "torchtwin.kernel.recorder.Recorder.page")
    flush, session = flushed(sent.append)
    session.say_state()
    until(lambda: session.guard.report() is not None or flush.has_ended())
    fault.is_mended = True
    session.watch()
    until(lambda: bool(sent) or flush.has_ended())
    flush.end()
    session.unwatch()
    told = session.state().internal_errors
    assert told is not None
    assert "Injected: here" in told.first
    assert sent


# the magics


@pytest.mark.parametrize(
    ("word", "stage"),
    [
        ("", "summary"),
        ("report", "report"),
        ("fc(x) == y", "comparison"),
        ("y", "explanation"),
    ],
)
def test_who_asks_is_told_that_the_fault_is_ours(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], run: Run, word: str, stage: str
) -> None:
    further = {
        "comparison": "torchtwin.kernel.comparing.answer.answer",
        "explanation": "torchtwin.kernel.comparing.explain.explain",
    }
    ran = run()
    capsys.readouterr()
    Fault(monkeypatch, (STAGES | further)[stage])
    ran.shell.run_cell(f"%twin {word}").raise_error()
    asked = f"%twin {word}".rstrip()
    assert capsys.readouterr().err == (
        f"{asked} failed by a fault of Torchtwin's own: Injected('here'). The panel has the details to report.\n"
    )
    told = ran.session.state().internal_errors
    assert told is not None
    assert told.count == 1
