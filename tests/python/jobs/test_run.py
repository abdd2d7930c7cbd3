"""`python -m torchtwin run`: the program runs as under Python itself, and what it did is in a file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from torchtwin.jobs.reading import Reading
from torchtwin.protocol import Call, Event, Run, State

LAYER = "import torch\nfc = torch.nn.Linear(4, 3)\nx = torch.ones(2, 4)\n"


def start(folder: Path, arguments: Sequence[str], **variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def done(folder: Path, arguments: Sequence[str], **variables: str) -> tuple[int, str, str]:
    process = start(folder, arguments, **variables)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def watched(folder: Path, *arguments: str, **variables: str) -> tuple[int, str, str]:
    return done(folder, ["-m", "torchtwin", "run", *arguments], **variables)


def recorded(folder: Path) -> list[Event]:
    (path,) = (folder / ".torchtwin").glob("*.jsonl")
    return [it.event for it in Reading(path).more()]


def calls(folder: Path) -> list[Call]:
    return list({it.id: it for it in recorded(folder) if isinstance(it, Call)}.values())


PROGRAMS = {
    "prints what it was started with": "import sys\nprint(sys.argv, __name__, __file__, sys.path[0])",
    "raises": "def f():\n    raise ValueError('no')\nf()",
    "has a syntax error": "x = (",
    "exits with a status": "import sys\nsys.exit(7)",
    "exits with a message": "import sys\nsys.exit('so long')",
    "has something to do at exit": "import atexit\natexit.register(print, 'bye')",
    "pickles its own class": "import pickle\nclass A: pass\nprint(type(pickle.loads(pickle.dumps(A()))))",
    "has a name of ours": "import json, sys\nsession = run = Program = None\nprint(sorted(globals()))",
}


@pytest.mark.parametrize("source", PROGRAMS.values(), ids=PROGRAMS)
def test_a_program_runs_as_it_would_without_us(tmp_path: Path, source: str) -> None:
    (tmp_path / "main.py").write_text(source)
    status, out, err = done(tmp_path, ["main.py", "-a", "--mode", "1"])
    found = watched(tmp_path, "main.py", "-a", "--mode", "1")
    assert found[0] == status
    assert found[1] == out
    told, _, ours = found[2].partition("Torchtwin ")
    assert told == err
    assert "no calls" in ours or "0 calls" in ours


def test_a_module_runs_as_one(tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").write_text("")
    (tmp_path / "pack" / "train.py").write_text(
        "from . import __name__ as n\nimport sys\nprint(n, __name__, sys.argv[1:])"
    )
    status, out, _ = watched(tmp_path, "-m", "pack.train", "--lr", "1")
    assert (status, out) == (0, "pack __main__ ['--lr', '1']\n")


def test_its_calls_are_in_the_file_by_the_names_of_the_script(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(LAYER + "y = fc(x)\ny.sum().backward()\n")
    status, _, err = watched(tmp_path, "--mode", "every", "main.py")
    assert status == 0
    (call,) = calls(tmp_path)
    assert (call.expression, call.site.line) == ("x @ fc.weight.T + fc.bias", 4)
    assert call.site.file == str(tmp_path / "main.py")
    assert call.gradients.weight is not None
    assert call.gradients.weight.kind == "identical"
    assert "1 call: 1 agrees" in err
    assert "records: .torchtwin" in err


def test_a_call_that_fails_is_told_at_the_end(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(LAYER + "try: fc(x.T)\nexcept RuntimeError: pass\n")
    _, _, err = watched(tmp_path, "main.py")
    assert "fc, main.py, line 4: `x.T` has 2 features, `fc` takes 4." in err


def test_calls_that_were_only_counted_are_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(LAYER + "for _ in range(5000): fc(x)\n")
    watched(tmp_path, "--mode", "shapes", "main.py")
    events = recorded(tmp_path)
    counted = sum(len(it.like) for it in events if isinstance(it, Run))
    assert counted + len(calls(tmp_path)) == 5000
    assert [it.calls for it in events if isinstance(it, State)][-1] == 5000


@pytest.mark.skipif(os.name != "posix", reason="no SIGKILL on this system")
def test_of_a_process_that_is_killed_the_file_stays_readable_and_all_but_the_last_batch_is_in_it(
    tmp_path: Path,
) -> None:
    (tmp_path / "main.py").write_text(
        LAYER + "import time\nfor i in range(300): fc(x)\ntime.sleep(2)\nprint('go', flush=True)\nwhile True: fc(x)\n"
    )
    process = start(tmp_path, ["-m", "torchtwin", "run", "--mode", "every", "main.py"])
    assert process.stdout is not None
    assert process.stdout.readline() == "go\n"
    time.sleep(0.3)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=20)
    (path,) = (tmp_path / ".torchtwin").glob("*.jsonl")
    reading = Reading(path)
    found = {it.event.id for it in reading.more() if isinstance(it.event, Call)}
    assert set(range(1, 301)) <= found
    assert reading.unreadable == 0


def test_each_rank_writes_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(LAYER + "fc(x)\n")
    told = {"WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": "29500", "TORCHELASTIC_RUN_ID": "none"}
    for rank in ("0", "1"):
        _, _, err = watched(tmp_path, "main.py", RANK=rank, **told)
        assert all(line.startswith(f"[rank {rank}] ") for line in err.splitlines())
    readings = [Reading(path) for path in sorted((tmp_path / ".torchtwin").glob("*.jsonl"))]
    for it in readings:
        list(it.more())
    heads = sorted((it.header for it in readings if it.header), key=lambda it: it.rank or 0)
    assert [(it.rank, it.ranks) for it in heads] == [(0, 2), (1, 2)]
    assert heads[0].job == heads[1].job == "none-localhost-29500"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_the_child_of_a_fork_neither_writes_nor_tells(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(
        LAYER + "import os\nfc(x)\nchild = os.fork()\nfor _ in range(3): fc(x)\nif child: os.waitpid(child, 0)\n"
    )
    status, _, err = watched(tmp_path, "--mode", "every", "main.py")
    assert (status, err.count("records: ")) == (0, 1)
    assert [it.id for it in calls(tmp_path)] == [1, 2, 3, 4]


def test_where_nothing_can_be_written_the_program_runs_and_it_is_told(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(LAYER + "print(tuple(fc(x).shape))\n")
    (tmp_path / ".torchtwin").write_text("in the way")
    status, out, err = watched(tmp_path, "main.py")
    assert (status, out) == (0, "(2, 3)\n")
    assert "nothing can be recorded in .torchtwin: File exists. The program runs all the same." in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.py"], "there is no file 'missing.py'"),
        (["--budget", "3", "main.py"], "'3' is no share above 0 and at most 1"),
        (["--mode", "some", "main.py"], "invalid choice"),
        ([], "required: program"),
    ],
)
def test_wrong_arguments_are_told_and_nothing_is_run(tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "main.py").write_text("print('ran')")
    status, out, err = watched(tmp_path, *arguments)
    assert (status, out) == (2, "")
    assert message in err
