"""What is wrong with an executed notebook: cells that raise, calls that fail, verdicts that differ."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from torchtwin.checking.execution import Executed
from torchtwin.kernel.report_model import counts, outcome, wrong_in
from torchtwin.protocol import Call

Kind = Literal["cell_raised", "call_failed", "call_differs"]


@dataclass(frozen=True)
class Finding:
    kind: Kind
    cell: int | None
    """The number of the cell among all of the notebook, from 1; null where it is not known."""
    line: int | None
    source: str | None
    """Of the line."""
    message: str
    suggestions: tuple[str, ...] = ()
    calls: int = 1
    """How many were found to be like that, one after the other."""


@dataclass(frozen=True)
class Findings:
    calls: int
    """That were recorded, those that fell off the kernel's memory included."""
    counts: str
    """`3 agree, 1 failed`."""
    unchecked: int
    found: list[Finding]


def findings(done: Executed) -> Findings:
    """In the order of the calls; a cell that raised comes last, as nothing ran after it."""
    heard = done.heard
    calls = [heard.calls[id] for id in sorted(heard.calls)]
    folded: dict[tuple[object, ...], Finding] = {}
    for call in calls:
        for finding in _of(call, done):
            key = (finding.kind, finding.cell, finding.line, finding.message)
            before = folded.get(key)
            folded[key] = finding if before is None else _again(before)
    found = list(folded.values())
    if done.error is not None:
        found.append(Finding("cell_raised", done.reached, None, None, done.error))
    recorded = len(calls) if heard.state is None else max(heard.state.calls, len(calls))
    unchecked = sum(outcome(call) == "unchecked" for call in calls) + recorded - len(calls)
    return Findings(recorded, counts(calls, recorded - len(calls)), unchecked, found)


def _again(before: Finding) -> Finding:
    return replace(before, calls=before.calls + 1)


def _of(call: Call, done: Executed) -> list[Finding]:
    count = call.site.execution_count
    cell = None if count is None else done.cells.get(count)
    is_failed = call.error is not None
    if is_failed and cell in done.excused:
        return []
    kind: Kind = "call_failed" if is_failed else "call_differs"
    suggestions = tuple(call.error.suggestions) if call.error is not None else ()
    return [
        Finding(kind, cell, call.site.line, call.site.source, f"`{call.name}`: {sentence}", suggestions)
        for sentence in wrong_in(call)
    ]
