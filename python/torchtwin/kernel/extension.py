"""The IPython extension: wires the session to the shell, the kernel's messages and the magics."""

from __future__ import annotations

from typing import Any

import msgspec

from torchtwin.kernel.cells import Cell
from torchtwin.kernel.flush import Flush
from torchtwin.kernel.magics import TwinMagics
from torchtwin.kernel.query import Query
from torchtwin.kernel.session import Session, session
from torchtwin.protocol import COMM_ID, QUERY_TARGET, TOPIC, Page


class Extension:
    """What was registered with one shell, so that it can be taken back."""

    def __init__(self, shell: Any, session: Session) -> None:
        self._shell = shell
        self._session = session
        self._kernel: Any = getattr(shell, "kernel", None)
        self._flush: Flush | None = None
        self._query = Query(session)
        self._magics = TwinMagics(shell, session)

    def load(self) -> None:
        self._magics.register()
        self._session.guard(self._cell_runs_already)()
        self._shell.events.register("pre_run_cell", self._before_cell)
        self._shell.events.register("post_run_cell", self._after_cell)
        if self._kernel is not None:
            self._kernel.comm_manager.register_target(QUERY_TARGET, self._query.opened)
            self._flush = Flush(self._session.recorder, self._send, self._session.guard, self._session.charged)
            self._flush.begin()
            self._session.threads.append(self._flush)
        self._session.watch()

    def unload(self) -> None:
        self._session.unwatch()
        self._shell.events.unregister("pre_run_cell", self._before_cell)
        self._shell.events.unregister("post_run_cell", self._after_cell)
        self._magics.unregister()
        if self._kernel is not None:
            self._kernel.comm_manager.unregister_target(QUERY_TARGET, self._query.opened)
            self._query.close()
        if self._flush is not None:
            self._session.threads.remove(self._flush)
            self._flush.end()

    def _send(self, page: Page) -> None:
        """Under a fixed comm id that is never opened: a page without our panel would answer an opening by closing it.

        Without a parent: JupyterLab's debugger asks for all variables after each message that has one.
        """
        kernel = self._kernel
        kernel.session.send(
            kernel.iopub_socket,
            "comm_msg",
            {"comm_id": COMM_ID, "data": msgspec.to_builtins(page)},
            parent=None,
            ident=TOPIC,
        )

    def _before_cell(self, info: Any) -> None:
        self._session.guard(self._cell_begins)(info)

    def _cell_begins(self, info: Any) -> None:
        # The shell counts on before it tells that a cell is about to run.
        count = self._shell.execution_count - bool(info.store_history)
        transformed = getattr(info, "transformed_cell", None) or self._shell.transform_cell(info.raw_cell)
        file = self._shell.compile.get_code_name(info.raw_cell, transformed, count)
        self._session.cell_begins(Cell(info.cell_id, count, file, info.raw_cell, transformed))

    def _cell_runs_already(self) -> None:
        """The cell that loads us began before we listened. A silent request is no cell, and its end is not told."""
        request = self._kernel.get_parent("shell") if self._kernel is not None else {}
        asked = request.get("content", {})
        if "code" not in asked or asked.get("silent") or not asked.get("store_history"):
            return
        code, count = asked["code"], self._shell.execution_count - 1
        file = self._shell.compile.get_code_name(code, self._shell.transform_cell(code), count)
        self._session.cell_begins(Cell(request.get("metadata", {}).get("cellId"), count, file, code))

    def _after_cell(self, result: Any) -> None:
        if result is None or result.info.raw_cell.strip():  # of an empty cell the shell tells the end alone
            self._session.guard(self._session.cell_ended)()


_loaded: dict[int, Extension] = {}


def load(shell: Any) -> None:
    """Loads into `shell`; at once back when it is loaded already."""
    if id(shell) not in _loaded:
        extension = Extension(shell, session)
        extension.load()
        _loaded[id(shell)] = extension


def unload(shell: Any) -> None:
    """Takes back all that `load` registered. Harmless when it is not loaded."""
    extension = _loaded.pop(id(shell), None)
    if extension is not None:
        extension.unload()
