"""`python -m torchtwin check`: one report for people, one for machines, and a status for both."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from torchtwin.checking.execution import NotExecutedError, execute
from torchtwin.checking.findings import Finding, Findings, findings
from torchtwin.protocol import Mode

PASSED, FOUND, CANNOT = 0, 1, 2
_KINDS = {"cell_raised": "raised", "call_failed": "a call failed", "call_differs": "a call differs from its formula"}


@dataclass(frozen=True)
class Checked:
    """One notebook."""

    notebook: str
    status: int
    """0: nothing is wrong; 1: something is; 2: it could not be executed, or not all records arrived."""
    problem: str | None = None
    """Why it could not be executed, or what is not known of it."""
    findings: Findings | None = None


def check(notebooks: Sequence[Path], mode: Mode, timeout: float | None, kernel: str | None, as_json: bool) -> int:
    """Prints the report. Returns the largest status of the notebooks."""
    done = []
    for path in notebooks:
        done.append(_checked(path, mode, timeout, kernel))
        if not as_json:
            print(text(done[-1]))
    if as_json:
        print(json.dumps([_plain(it) for it in done], indent=1))
    return max(it.status for it in done)


def _checked(path: Path, mode: Mode, timeout: float | None, kernel: str | None) -> Checked:
    try:
        with _progress(path.name) as progress:
            executed = asyncio.run(execute(path, mode, timeout, kernel, progress))
    except NotExecutedError as error:
        return Checked(str(path), CANNOT, str(error))
    found = findings(executed)
    if executed.heard.missing is not None:
        return Checked(str(path), CANNOT, executed.heard.missing, found)
    return Checked(str(path), FOUND if found.found else PASSED, None, found)


@contextlib.contextmanager
def _progress(name: str) -> Iterator[Callable[[int, int], None]]:
    """On a terminal alone, and gone at the end."""
    with tqdm(desc=name, unit="cell", leave=False, disable=None, file=sys.stderr) as bar:

        def tell(cells: int, all_cells: int) -> None:
            bar.total = all_cells
            bar.update(cells - bar.n)

        yield tell


def text(done: Checked) -> str:
    """`ok  lesson.ipynb: 12 calls: 12 agree`, and below it what is wrong, cell by cell."""
    sign = {PASSED: "ok", FOUND: "FAILED", CANNOT: "ERROR"}[done.status]
    lines = [f"{sign}  {done.notebook}: {done.problem or _headline(done.findings)}"]
    for finding in done.findings.found if done.findings else ():
        lines += ["", *_told(finding)]
    return "\n".join(lines)


def _headline(found: Findings | None) -> str:
    if found is None or not found.calls:
        return "no calls of nn.Linear were recorded"
    return f"{found.calls:,} call{'' if found.calls == 1 else 's'}: {found.counts}"


def _told(finding: Finding) -> Iterator[str]:
    place = [f"cell {finding.cell}" if finding.cell else "", f"line {finding.line}" if finding.line else ""]
    where = ", ".join(it for it in place if it) or "somewhere"
    yield f"  {where}: {_KINDS[finding.kind]}" + (f", {finding.calls:,} times" if finding.calls > 1 else "")
    if finding.source:
        yield f"    {finding.source}"
    yield f"    {finding.message}"
    yield from (f"      - {it}" for it in finding.suggestions)


def _plain(done: Checked) -> dict[str, Any]:
    found = None if done.findings is None else asdict(done.findings)
    return {"notebook": done.notebook, "status": done.status, "problem": done.problem, **(found or {})}
