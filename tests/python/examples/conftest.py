"""Runs a notebook in a kernel of its own, with or without the extension, as a headless front end would."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

import torchtwin

REPOSITORY = Path(__file__).resolve().parents[3]
LOAD = 'get_ipython().extension_manager.load_extension("torchtwin")'
RECORDS = '__import__("json").dumps(__import__("torchtwin").records())'


@dataclass
class Run:
    """An executed notebook and what the kernel knew at the end."""

    notebook: nbformat.NotebookNode
    loaded: str | None
    """What `load_extension` answered, as a repr: `None` in quotes when it loaded."""
    records: list[dict[str, Any]] | None

    def outputs(self) -> dict[str, list[dict[str, Any]]]:
        return {cell.id: cell.outputs for cell in self.notebook.cells if cell.cell_type == "code"}

    def prompts(self) -> list[int | None]:
        return [cell.execution_count for cell in self.notebook.cells if cell.cell_type == "code"]

    def printed(self, cell_id: str) -> str:
        return "".join(output["text"] for output in self.outputs()[cell_id])


def evaluate(client: NotebookClient, expression: str) -> str:
    """The repr of an expression in the kernel, without a trace in its history or prompt numbers."""
    kernel: Any = client.kc
    message = kernel.execute("", silent=True, store_history=False, user_expressions={"it": expression})
    reply: Any = client.wait_for_reply(message)
    answer = reply["content"]["user_expressions"]["it"]
    assert answer["status"] == "ok", answer
    return str(answer["data"]["text/plain"])


def run_cells(client: NotebookClient) -> None:
    for index, cell in enumerate(client.nb.cells):
        client.execute_cell(cell, index)


def run(path: Path, with_extension: bool) -> Run:
    notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)  # type: ignore[no-untyped-call]
    # Into how many messages the kernel cuts what a cell prints is a matter of time; every front end joins them.
    client = NotebookClient(notebook, kernel_name="python3", timeout=120, coalesce_streams=True)
    with client.setup_kernel():
        loaded = evaluate(client, LOAD) if with_extension else None
        run_cells(client)
        records = json.loads(ast.literal_eval(evaluate(client, RECORDS))) if with_extension else None
    return Run(client.nb, loaded, records)


@pytest.fixture(scope="module")
def run_notebook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str, bool], Run]]:
    """`run_notebook("linear_by_hand", with_extension)`; each way of running is executed once per module."""
    done: dict[tuple[str, bool], Run] = {}

    def run_once(name: str, with_extension: bool) -> Run:
        key = (name, with_extension)
        if key not in done:
            done[key] = run(REPOSITORY / "examples" / f"{name}.ipynb", with_extension)
        return done[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(torchtwin.__file__).parents[1]))
        patch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
        yield run_once
