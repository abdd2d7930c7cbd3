"""`python -m torchtwin run`: a program under watch, its records in a file, a summary at its end."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from torchtwin.jobs.program import Program
from torchtwin.jobs.record_file import RecordFile
from torchtwin.kernel.flush import Flush
from torchtwin.kernel.report import summary
from torchtwin.kernel.report_model import differences
from torchtwin.kernel.session import Session
from torchtwin.protocol import PROTOCOL, Mode
from torchtwin.protocol.job import Header
from torchtwin.version import __version__

MAX_TOLD = 10
"""Differences that are told at the end; all are in the file."""


def run(program: Program, folder: Path, mode: Mode, budget: float | None, session: Session) -> int:
    """Returns the program's own status.

    A file that can't be written is told, and the program runs all the same.
    """
    session.watch(mode, budget)
    end = _recorded(program, folder, session)
    try:
        return program.run()
    finally:
        end()


def _recorded(program: Program, folder: Path, session: Session) -> Callable[[], None]:
    """Records to a file from now on. Returns what ends it."""
    try:
        file = RecordFile(folder, _header(program, session), session.page)
    except OSError as error:
        _say(f"nothing can be recorded in {folder}: {error.strerror}. The program runs all the same.")
        return session.unwatch
    flush = Flush(session.recorder, file.write, session.guard, session.charged)
    session.threads.append(flush)
    flush.begin()

    process = os.getpid()

    def end() -> None:
        if os.getpid() != process:
            return  # the child of a fork, which came this way as well
        session.unwatch()
        flush.end()
        file.close()
        _say_what_was_found(session, file.path)

    return end


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


def _say_what_was_found(session: Session, path: Path) -> None:
    calls = session.calls()
    # Without the last line, which tells the words of a magic.
    lines = summary(session.state(), calls, session.recorder.alike).splitlines()[:-1]
    here = os.getcwd() + os.sep
    wrong = [sentence.replace(here, "") for call in calls for sentence in differences(call)]
    lines += [f"  {sentence}" for sentence in wrong[:MAX_TOLD]]
    if len(wrong) > MAX_TOLD:
        lines.append(f"  and {len(wrong) - MAX_TOLD:,} more")
    _say("\n".join([*lines, f"records: {os.path.relpath(path)}"]))


def _say(text: str) -> None:
    rank = _number("RANK")
    print(
        "\n".join(f"[rank {rank}] {line}" if rank is not None else line for line in text.splitlines()), file=sys.stderr
    )
