"""Executes a notebook in a kernel of its own, and collects what Torchtwin records there."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_core.utils import ensure_async
from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal, CellTimeoutError, DeadKernelError

from torchtwin.checking.listening import Heard, Listener
from torchtwin.protocol import Mode

SETUP = """
try:
    get_ipython().run_line_magic("load_ext", "torchtwin")
    get_ipython().run_line_magic("twin", "mode {mode}")
except Exception as error:
    raise RuntimeError(f"torchtwin can't be loaded in this kernel: {{error}}") from None
"""
TEARDOWN = 'get_ipython().run_line_magic("unload_ext", "torchtwin")'
"""Sends what was not sent yet, so that all has arrived when this has run."""


class NotExecutedError(Exception):
    """The notebook could not be executed, for a reason that is none of its own."""


@dataclass
class Executed:
    """What came of a notebook."""

    cells: dict[int, int] = field(default_factory=dict)
    """The number of a cell in the notebook, from 1, by its execution count."""
    excused: set[int] = field(default_factory=set)
    """The numbers of cells that are tagged `raises-exception`."""
    heard: Heard = field(default_factory=Heard)
    """Its records."""
    error: str | None = None
    """What a cell raised that ended the execution."""
    reached: int = 0
    """The number of the last cell that was begun."""


async def execute(
    path: Path, mode: Mode, timeout: float | None, kernel: str | None, progress: Callable[[int, int], None]
) -> Executed:
    """Executes the cells in the notebook's folder, until one raises that is not tagged so. Nothing is saved.

    `timeout`: seconds for each cell; null for as long as it takes. `progress` takes the cells done, and all.

    Raises:
        NotExecutedError: the file is no notebook, there is no such kernel, or it died.
    """
    options: dict[str, Any] = {} if kernel is None else {"kernel_name": kernel}
    folder = {"metadata": {"path": str(path.absolute().parent)}}
    client: Any = NotebookClient(_read(path), timeout=timeout, resources=folder, **options)
    done = Executed()
    try:
        async with client.async_setup_kernel():
            with _listening(client, done.heard) as listener:
                await _ask_until(listener.is_reached, client)
                await _run(client, SETUP.format(mode=mode))
                await _run_cells(client, done, progress)
                last = await _run(client, TEARDOWN)
                await asyncio.to_thread(listener.end, last)
    except NotExecutedError:
        raise
    except DeadKernelError:
        raise NotExecutedError(
            f"the kernel died in cell {done.reached}" if done.reached else "the kernel died"
        ) from None
    except Exception as error:  # of the kernel's manager, which may be anybody's
        raise NotExecutedError(str(error).strip() or type(error).__name__) from error
    return done


def _read(path: Path) -> Any:
    try:
        return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    except OSError as error:
        raise NotExecutedError(f"it can't be read: {error.strerror}") from None
    except Exception as error:  # nbformat raises a dozen kinds
        raise NotExecutedError(f"it is no notebook: {str(error).splitlines()[0][:200]}") from None


async def _run_cells(client: Any, done: Executed, progress: Callable[[int, int], None]) -> None:
    cells = client.nb.cells
    for cell in cells:
        if cell.cell_type == "code":
            cell.execution_count = None  # a cell that is skipped would keep the one of another time
    for at, cell in enumerate(cells):
        progress(at, len(cells))
        done.reached = at + 1
        if "raises-exception" in cell.metadata.get("tags", ()):
            done.excused.add(at + 1)
        try:
            await client.async_execute_cell(cell, at)
        except CellTimeoutError:
            done.error = f"it took longer than {client.timeout:g} s, and was interrupted"
            await ensure_async(client.km.interrupt_kernel())
        except CellControlSignal as error:
            done.error = _told(error)
        if cell.cell_type == "code" and cell.execution_count is not None:
            done.cells[cell.execution_count] = at + 1
        if done.error is not None:
            return
    progress(len(cells), len(cells))


def _told(error: CellControlSignal) -> str:
    name, value = getattr(error, "ename", None), getattr(error, "evalue", None)
    return f"{name}: {value}" if name else str(error).strip().splitlines()[0]


async def _run(client: Any, code: str) -> str:
    """Not as a cell of the notebook's: it gets no execution count. Returns the id of the request."""
    status = "aborted"  # as all that waits is, behind a cell that raises or is interrupted
    while status == "aborted":
        request: str = client.kc.execute(code, store_history=False)
        reply = await client.async_wait_for_reply(request)
        status = reply["content"]["status"]
    if status == "error":
        raise NotExecutedError(reply["content"]["evalue"])
    return request


async def _ask_until(is_reached: threading.Event, client: Any) -> None:
    """Until the kernel is heard to work: what it sends before reaches nobody."""
    for _ in range(100):
        await client.async_wait_for_reply(client.kc.kernel_info())
        if await asyncio.to_thread(is_reached.wait, 0.1):
            return
    raise NotExecutedError("what the kernel sends can't be heard")


@contextlib.contextmanager
def _listening(client: Any, heard: Heard) -> Iterator[Listener]:
    ears = BlockingKernelClient(connection_file=client.km.connection_file)
    ears.load_connection_file()
    ears.start_channels(shell=False, iopub=True, stdin=False, hb=False, control=False)
    listener = Listener(ears, heard)
    listener.begin()
    try:
        yield listener
    finally:
        listener.end(None)
        ears.stop_channels()
