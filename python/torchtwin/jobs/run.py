"""`python -m torchtwin run`: a program under watch, its records in a file, a summary at its end."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from torchtwin.jobs.program import Program
from torchtwin.jobs.record_file import RecordFile
from torchtwin.kernel.flush import Flush
from torchtwin.kernel.report import summary
from torchtwin.kernel.report_model import differences
from torchtwin.kernel.session import Session
from torchtwin.protocol import PROTOCOL, Call, Mode
from torchtwin.protocol.job import Header
from torchtwin.version import __version__

MAX_TOLD = 10
"""Differences that are told at the end; all are in the file."""


def run(program: Program, folder: Path, mode: Mode, budget: float | None, session: Session) -> None:
    """Raises what ends the program. What goes wrong with the records is told, and the program runs all the same."""
    try:
        session.watch(mode, budget)
        _record(program, folder, session)
    except Exception as error:
        reason = error.strerror if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
        _say(f"nothing can be recorded in {folder}: {reason}. The program runs all the same.")
        session.guard(session.unwatch)()
    program.run()


def _record(program: Program, folder: Path, session: Session) -> None:
    """From now on, to a file.

    What is registered first runs last at exit: after the threads that outlive the script, and after all that the
    program does at exit.
    """
    header = _header(program, session)
    file = RecordFile(folder, header, session.page)
    flush = Flush(session.recorder, file.write, session.guard, session.charged)
    session.threads.append(flush)
    flush.begin()

    def end() -> None:
        if os.getpid() != header.pid:
            return  # the child of a fork
        try:
            _say(_end(session, flush, file, Path(header.folder)))
        except BaseException as error:  # how the program ends is its own affair
            _say(f"Torchtwin could not sum up: {type(error).__name__}: {error}")

    atexit.register(end)


def _end(session: Session, flush: Flush, file: RecordFile, started_in: Path) -> str:
    """Ends the watch and the file. Returns what was found."""
    watching = session.watching
    session.unwatch()
    is_whole = flush.end()
    file.close()
    calls = session.calls()
    state = msgspec.structs.replace(session.state(), watching=watching)
    lines = [summary(state, calls, session.recorder.alike, words=False)]
    lines += _differences(calls, started_in)
    lines.append(f"records: {_seen_from(started_in, file.path)}")
    if not is_whole:
        lines.append("  not all could be written there")
    return "\n".join(lines)


def _header(program: Program, session: Session) -> Header:
    return Header(
        protocol=PROTOCOL,
        session=session.recorder.session,
        torchtwin=__version__,
        program=f"-m {program.name}" if program.is_module else program.name,
        arguments=program.arguments,
        folder=os.getcwd(),
        pid=os.getpid(),
        started=time.time(),
        rank=_number("RANK"),
        ranks=_number("WORLD_SIZE"),
        job=_job(),
    )


def _number(variable: str) -> int | None:
    value = os.environ.get(variable, "")
    return int(value) if value.isdecimal() else None


def _job() -> str | None:
    """By what `torchrun` tells each of its processes."""
    told = [os.environ.get(it) for it in ("TORCHELASTIC_RUN_ID", "MASTER_ADDR", "MASTER_PORT")]
    return "-".join(it for it in told if it) or None if "RANK" in os.environ else None


def _differences(calls: Sequence[Call], started_in: Path) -> list[str]:
    here = str(started_in) + os.sep
    wrong = [f"  {sentence.replace(here, '')}" for call in calls for sentence in differences(call)]
    more = [f"  and {len(wrong) - MAX_TOLD:,} more"] if len(wrong) > MAX_TOLD else []
    return wrong[:MAX_TOLD] + more


def _seen_from(folder: Path, path: Path) -> Path:
    """As somebody in `folder` would name it."""
    return path.relative_to(folder) if path.is_relative_to(folder) else path


def _say(text: str) -> None:
    """To where Python's own messages go, if anywhere.

    Past its buffer: what is left in one that can't be emptied changes the status of the process.
    """
    stream = sys.__stderr__
    if stream is None:
        return
    rank = _number("RANK")
    lines = (line if rank is None else f"[rank {rank}] {line}" for line in text.splitlines())
    for it in (sys.stdout, stream):  # the program's last words come before ours
        with contextlib.suppress(Exception):
            it.flush()
    with contextlib.suppress(Exception):
        raw = getattr(stream.buffer, "raw", stream.buffer)
        raw.write("".join(f"{line}\n" for line in lines).encode(stream.encoding, "backslashreplace"))
