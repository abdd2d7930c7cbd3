"""`python -m torchtwin check`: real notebooks in real kernels, the report and the status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

from torchtwin.checking import check as checking
from torchtwin.checking.execution import Executed
from torchtwin.protocol import PROTOCOL

IMPORTS = "import os, time, torch\nfrom torch import nn\nimport torch.nn.functional as F"
LAYER = "fc = nn.Linear(4, 3)\nx = torch.ones(2, 4)"
FAILS = "for _ in range(3):\n    try: fc(torch.ones(2, 5))\n    except RuntimeError: pass"
LACKS_THE_BIAS = (
    "import torchtwin\ntorchtwin.unwatch()\noriginal = F.linear\nF.linear = lambda x, w, b=None: original(x, w)\n"
    "torchtwin.watch()"
)


def notebook(folder: Path, *cells: str, name: str = "lesson.ipynb", tags: dict[int, list[str]] | None = None) -> Path:
    made: Any = nbformat.v4.new_notebook()
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    made.cells = [nbformat.v4.new_markdown_cell("# A lesson"), *map(nbformat.v4.new_code_cell, cells)]
    for number, of_cell in (tags or {}).items():
        made.cells[number - 1].metadata["tags"] = of_cell
    path = folder / name
    nbformat.write(made, path)
    return path


def check(*arguments: object, **variables: str) -> tuple[int, str]:
    """In a process of its own, as nbclient leaves sockets and loops behind."""
    done = subprocess.run(
        [sys.executable, "-m", "torchtwin", "check", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=180,
        env={**os.environ, "OMP_NUM_THREADS": "1", **variables},
    )
    return done.returncode, done.stdout or done.stderr


def test_a_right_notebook_passes_and_is_not_changed(tmp_path: Path) -> None:
    path = notebook(tmp_path, IMPORTS, LAYER, "fc(x).sum().backward()")
    before = path.read_bytes()
    assert check(path) == (0, f"ok  {path}: 1 call: 1 agrees\n")
    assert path.read_bytes() == before


def test_what_is_wrong_is_told_by_cell_and_line(tmp_path: Path) -> None:
    path = notebook(tmp_path, IMPORTS, LAYER, FAILS, LACKS_THE_BIAS, "y = fc(x)\nboom", "print('not reached')")
    status, told = check(path)
    assert status == 1
    assert told.startswith(f"FAILED  {path}: 4 calls: 3 failed, 1 differs\n")
    assert (
        "  cell 4, line 2: a call failed, 3 times\n    try: fc(torch.ones(2, 5))\n"
        "    `fc`: `torch.ones(2, 5)` has 5 features, `fc` takes 4.\n      - Pass an input with 4 features.\n"
    ) in told
    assert "  cell 6, line 1: a call differs from its formula\n    y = fc(x)\n    `fc`: output different: " in told
    assert "The layer's output lacks the bias: it is `x @ fc.weight.T`." in told
    assert told.endswith("  cell 6: raised\n    NameError: name 'boom' is not defined\n")


def test_a_failure_is_no_finding_where_the_cell_is_tagged_to_raise(tmp_path: Path) -> None:
    path = notebook(tmp_path, IMPORTS, LAYER, "fc(x.T)", "fc(x)", tags={4: ["raises-exception"]})
    status, told = check(path)
    assert (status, told) == (0, f"ok  {path}: 2 calls: 1 failed, 1 agrees\n")


def test_for_machines_the_same_is_told_as_json(tmp_path: Path) -> None:
    wrong, missing = notebook(tmp_path, IMPORTS, LAYER, FAILS), tmp_path / "missing.ipynb"
    status, told = check("--json", wrong, missing)
    assert status == 2
    first, second = json.loads(told)
    assert (first["notebook"], first["status"], first["problem"]) == (str(wrong), 1, None)
    assert (first["calls"], first["unchecked"], first["counts"]) == (3, 0, "3 failed")
    (finding,) = first["found"]
    assert (finding["kind"], finding["cell"], finding["line"], finding["calls"]) == ("call_failed", 4, 2, 3)
    assert second == {
        "notebook": str(missing),
        "status": 2,
        "problem": "it can't be read: No such file or directory",
    }


def test_the_kernel_runs_in_the_notebooks_folder(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("SIZE = 4")
    path = notebook(tmp_path, IMPORTS + "\nfrom mine import SIZE", "nn.Linear(SIZE, 1)(torch.ones(1, SIZE))")
    assert check(path)[0] == 0


CANNOT = {
    "the kernel died in cell 3": (IMPORTS, "os._exit(1)"),
    "it is no notebook: ": None,
}


@pytest.mark.parametrize(("problem", "cells"), CANNOT.items(), ids=CANNOT)
def test_what_could_not_be_executed_is_told(tmp_path: Path, problem: str, cells: tuple[str, ...] | None) -> None:
    path = tmp_path / "lesson.ipynb"
    if cells is None:
        path.write_text("{")
    else:
        notebook(tmp_path, *cells)
    status, told = check(path)
    assert status == 2
    assert told.startswith(f"ERROR  {path}: {problem}")


def test_a_kernel_that_does_not_exist_is_named(tmp_path: Path) -> None:
    path = notebook(tmp_path, "1")
    assert check("--kernel", "nosuch", path) == (2, f"ERROR  {path}: No such kernel named nosuch\n")


def test_a_cell_that_takes_too_long_is_interrupted_and_what_came_before_is_told(tmp_path: Path) -> None:
    path = notebook(tmp_path, IMPORTS, LAYER + "\nfc(x)\ntime.sleep(300)")
    status, told = check("--timeout", 10, path)
    assert status == 1
    assert told.startswith(f"FAILED  {path}: 1 call: 1 agrees\n")
    assert "  cell 3: raised\n    it took longer than 10 s, and was interrupted\n" in told


def test_where_records_are_missing_nothing_is_called_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def execute(*_: Any) -> Executed:
        return Executed()

    monkeypatch.setattr("torchtwin.checking.check.execute", execute)
    (done,) = [checking._checked(tmp_path / "lesson.ipynb", "every", None, None)]
    assert (done.status, done.problem) == (2, "not all records arrived, so nothing can be said of the others")


LISTENING_ENDS = r"""
from torchtwin.protocol import COMM_ID
kernel = get_ipython().kernel
kernel.session.send(kernel.iopub_socket, "comm_msg", {"comm_id": COMM_ID, "data": {"protocol": 99}}, ident=b"comm")
"""


def test_where_the_kernel_speaks_another_protocol_nothing_is_called_right(tmp_path: Path) -> None:
    path = notebook(tmp_path, IMPORTS, LISTENING_ENDS, LAYER)
    told = f"ERROR  {path}: the kernel's torchtwin speaks protocol 99, and this one {PROTOCOL}\n"
    assert check(path) == (2, told)


def test_a_notebook_that_prints_without_an_end_is_heard_to_its_end(tmp_path: Path) -> None:
    talks = (
        "import threading\ndef talk():\n    while True:\n        print('.', flush=True)\n        time.sleep(0.01)\n"
        "threading.Thread(target=talk, daemon=True).start()"
    )
    path = notebook(tmp_path, IMPORTS, LAYER, talks, "fc(x)")
    assert check(path) == (0, f"ok  {path}: 1 call: 1 agrees\n")


def test_the_cell_is_the_right_one_where_others_are_skipped(tmp_path: Path) -> None:
    path = notebook(
        tmp_path, IMPORTS, LAYER, FAILS, "skipped", "", "1", tags={4: ["raises-exception"], 5: ["skip-execution"]}
    )
    saved: Any = nbformat.read(path, as_version=4)
    for number, count in {5: 3, 6: 3, 7: 3}.items():
        saved.cells[number - 1].execution_count = count
    nbformat.write(saved, path)
    assert check(path) == (0, f"ok  {path}: 3 calls: 3 failed\n")
    del saved.cells[3].metadata["tags"]
    nbformat.write(saved, path)
    status, told = check(path)
    assert status == 1
    assert "  cell 4, line 2: a call failed, 3 times\n" in told


def test_without_the_library_that_executes_notebooks_it_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "nbclient.py").write_text("raise ModuleNotFoundError('none', name='nbclient')")
    status, told = check("lesson.ipynb", PYTHONPATH=str(tmp_path))
    assert (status, told) == (
        2,
        "torchtwin: `check` needs nbclient and tqdm, and nbclient is missing: `pip install nbclient tqdm`\n",
    )
