"""`python -m torchtwin run`: the program runs as under Python itself, and what it did is in a file."""

from __future__ import annotations

import os
import py_compile
import re
import shutil
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


def without_ours(err: str) -> str:
    told, found = re.subn(r"^Torchtwin [^\n]*\n0 calls\n.*?^records: [^\n]*\n", "", err, flags=re.DOTALL | re.MULTILINE)
    assert found == 1, err
    return told


def as_python(folder: Path, *arguments: str, options: Sequence[str] = (), **variables: str) -> tuple[int, str, str]:
    """Status, stdout and stderr, which must be those of Python itself."""
    expected = done(folder, [*options, *arguments], **variables)
    status, out, err = done(folder, [*options, "-m", "torchtwin", "run", *arguments], **variables)
    assert (status, out, without_ours(err)) == expected
    return expected


PROGRAMS = {
    "prints what it was started with": "import sys\nprint(sys.argv, __name__, __file__, sys.path)",
    "looks at its own module": (
        "import inspect, sys\nclass A: pass\nprint(sorted(globals()), __builtins__, type(__loader__), __spec__)\n"
        "print(__builtins__.print, inspect.getsource(A), sys.modules['__main__'].A, __loader__.get_filename())"
    ),
    "raises": "def f():\n    raise ValueError('no')\nf()",
    "raises from another": "try: 1 / 0\nexcept ZeroDivisionError as e: raise ValueError('no') from e",
    "has a syntax error": "x = (",
    "exits with a status": "import sys\nsys.exit(7)",
    "exits with a message": "import sys\nsys.exit('so long')",
    "exits with more than a status holds": "raise SystemExit(256)",
    "exits with a tuple": "raise SystemExit((1, 2))",
    "has things to do at exit": "import atexit\natexit.register(print, 'last')\natexit.register(print, 'first')",
    "fails at exit": "import atexit\natexit.register(int, 'x')",
    "looks around at exit": (
        "import atexit, pickle\nclass A: pass\n"
        "atexit.register(lambda: print(sorted(globals()), type(pickle.loads(pickle.dumps(A())))))"
    ),
    "looks at exit at what it died of": (
        "import atexit, sys, traceback\n"
        "atexit.register(lambda: print(sys.last_value, traceback.format_tb(sys.last_traceback), sys.excepthook))\n1 / 0"
    ),
    "pickles its own class": "import pickle\nclass A: pass\nprint(type(pickle.loads(pickle.dumps(A()))))",
    "has a name of ours": "import json, sys\nsession = run = Program = None\nprint(sorted(globals()))",
    "is interrupted": "import atexit\natexit.register(print, 'bye')\nraise KeyboardInterrupt",
    "catches an interrupt": "import sys\ntry: raise KeyboardInterrupt\nexcept KeyboardInterrupt: sys.exit(3)",
    "raises an interrupt of its own": "class Stop(KeyboardInterrupt): pass\nraise Stop",
    "has a hook": "import sys\nsys.excepthook = lambda *a: print(a[:2], a[2].tb_lineno, sys.exc_info())\n1 / 0",
    "has a hook that raises": "import sys\ndef hook(*a): raise KeyError('hook')\nsys.excepthook = hook\n1 / 0",
    "has a hook that exits": "import sys\nsys.excepthook = lambda *a: sys.exit(5)\n1 / 0",
    "leaves a thread behind": (
        "import atexit, threading, time\natexit.register(print, 'exit')\n"
        "threading.Thread(target=lambda: (time.sleep(0.5), print('thread'))).start()\nprint('script')"
    ),
    "raises and leaves a thread behind": (
        "import threading, time\nthreading.Thread(target=lambda: (time.sleep(0.5), print('thread'))).start()\n1 / 0"
    ),
    "removes its folder": (
        "import os, tempfile\nfolder = tempfile.mkdtemp()\nos.chdir(folder)\nos.rmdir(folder)\nprint('done')"
    ),
    "puts something else in place of stderr": "import io, sys\nsys.stderr = io.StringIO()\n1 / 0",
    "closes stdout": "import sys\nsys.stdout.close()",
    "forks": "import os, sys\nchild = os.fork()\nsys.exit(os.waitpid(child, 0)[1] >> 7 if child else 4)",
}
if not hasattr(os, "fork"):
    del PROGRAMS["forks"]


@pytest.mark.parametrize("source", PROGRAMS.values(), ids=PROGRAMS)
def test_a_program_runs_as_it_would_without_us(tmp_path: Path, source: str) -> None:
    (tmp_path / "main.py").write_text(source)
    as_python(tmp_path, "main.py", "-a", "--mode", "1", "--", "b")


@pytest.mark.skipif(os.name != "posix", reason="no such signal on this system")
def test_an_interrupt_kills_as_it_would_without_us(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("raise KeyboardInterrupt")
    assert as_python(tmp_path, "main.py")[0] == -signal.SIGINT
    assert as_python(tmp_path, "-m", "main")[0] == -signal.SIGINT


def test_its_arguments_begin_after_its_name_whatever_they_are(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("import sys\nprint(sys.argv)")
    assert as_python(tmp_path, "main.py", "--", "a")[1] == "['main.py', '--', 'a']\n"
    assert watched(tmp_path, "--", "main.py", "--", "a")[1] == "['main.py', '--', 'a']\n"


FOLDER = {
    "__init__.py": "",
    "train.py": "from . import __name__ as n\nimport sys\nprint(n, sorted(globals()), sys.argv, sys.path)",
    "fails.py": "1 / 0",
    "looks.py": "import atexit, pickle\nclass A: pass\natexit.register(lambda: print(pickle.dumps(A()), __file__))",
}
MODULES = {
    "a module": "pack.train",
    "a module that raises": "pack.fails",
    "a module that pickles at exit": "pack.looks",
    "no module": "nosuch",
    "no module of the package": "pack.nosuch",
    "a package without a main module": "pack",
}


@pytest.mark.parametrize("name", MODULES.values(), ids=MODULES)
def test_a_module_runs_as_one(tmp_path: Path, name: str) -> None:
    (tmp_path / "pack").mkdir()
    for file, source in FOLDER.items():
        (tmp_path / "pack" / file).write_text(source)
    done(tmp_path, ["-m", "compileall", "-q", "pack"])
    as_python(tmp_path, "-m", name, "--lr", "1")


def test_a_folder_an_archive_and_a_compiled_script_run_as_they_would_without_us(tmp_path: Path) -> None:
    source = "import sys, helper\nprint(__name__, __package__, sys.argv, sys.path, sorted(globals()))"
    for folder in ("whole", "empty"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "helper.py").write_text("")
    (tmp_path / "whole" / "__main__.py").write_text(source)
    shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path / "whole")
    py_compile.compile(str(tmp_path / "whole" / "__main__.py"), str(tmp_path / "whole" / "main.pyc"))
    for options in ([], ["-P"]):
        for name in ("whole", "packed.zip"):
            assert as_python(tmp_path, name, "--", "a", options=options)[0] == 0
    assert as_python(tmp_path, os.path.join("whole", "main.pyc"), "a")[0] == 0
    assert as_python(tmp_path, "empty")[0] == 1


def test_modules_are_found_beside_the_script_itself_unless_python_is_told_not_to(tmp_path: Path) -> None:
    for folder in ("real", "lib"):
        (tmp_path / folder).mkdir()
    (tmp_path / "real" / "main.py").write_text("import sys\nprint(sys.path)\nimport helper, mine")
    (tmp_path / "real" / "helper.py").write_text("")
    (tmp_path / "lib" / "mine.py").write_text("")
    (tmp_path / "link.py").symlink_to(tmp_path / "real" / "main.py")
    path = os.pathsep.join([str(tmp_path / "lib"), os.environ.get("PYTHONPATH", "")])
    assert as_python(tmp_path, "link.py", PYTHONPATH=path)[0] == 0
    (tmp_path / "lib" / "helper.py").write_text("")
    for how in ({"options": ["-P"]}, {"PYTHONSAFEPATH": "1"}):
        assert as_python(tmp_path, "link.py", PYTHONPATH=path, **how)[0] == 0  # type: ignore[arg-type]


CLOSED = {
    "stderr": (["2>&-"], "print('ran')"),
    "stdout": ([">&-"], "print('ran')"),
    "both": ([">&-", "2>&-"], "print('ran')"),
    "a pipe that nobody reads": (["| sleep 0"], "import time\ntime.sleep(1)\nprint('ran')"),
    "a pipe for messages that nobody reads": (["2>&1 >&- | sleep 0"], "import time\ntime.sleep(1)"),
    "stderr by the program": ([], "import sys\nsys.stderr.close()\nprint('ran')"),
}


@pytest.mark.skipif(shutil.which("bash") is None, reason="no shell on this system")
@pytest.mark.parametrize(("how", "source"), CLOSED.values(), ids=CLOSED)
def test_a_stream_that_is_closed_changes_neither_status_nor_output(tmp_path: Path, how: list[str], source: str) -> None:
    (tmp_path / "main.py").write_text(source)
    found = []
    for before in ("", "-m torchtwin run "):
        command = " ".join([f'"{sys.executable}" {before}main.py', *how, "; echo ${PIPESTATUS[0]}"])
        done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=120)
        found.append((done.stdout, re.sub(r"^Torchtwin .*?^records: .*?\n", "", done.stderr, flags=re.S | re.M)))
    assert found[0] == found[1]


def test_a_fault_of_ours_at_the_end_is_told_and_changes_no_status(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(
        "import sys, torchtwin.jobs.run as ours\nours.summary = lambda *a, **k: 1 / 0\nsys.exit(3)"
    )
    status, out, err = watched(tmp_path, "main.py")
    assert (status, out, err) == (3, "", "Torchtwin could not sum up: ZeroDivisionError: division by zero\n")


@pytest.mark.parametrize(
    "source",
    [
        "import threading\nthreading.Thread(target=work).start()",
        "from concurrent.futures import ThreadPoolExecutor\nThreadPoolExecutor(2).submit(work)",
        "import atexit\natexit.register(work)",
    ],
    ids=["a thread", "an executor", "what runs at exit"],
)
def test_what_outlives_the_script_is_recorded_and_summed_up_after_its_last_words(tmp_path: Path, source: str) -> None:
    work = "import time\ndef work():\n    time.sleep(0.5)\n    for _ in range(4): fc(x)\n    print('done')\n"
    (tmp_path / "main.py").write_text(LAYER + work + source)
    with (tmp_path / "told").open("w") as told:
        command = [sys.executable, "-m", "torchtwin", "run", "--mode", "every", "main.py"]
        subprocess.run(command, cwd=tmp_path, stdout=told, stderr=told, timeout=120, check=True)
    lines = (tmp_path / "told").read_text().splitlines()
    assert lines[0] == "done"
    assert lines[1].startswith("Torchtwin ")
    assert lines[2] == "4 calls: 4 agree"
    assert len(calls(tmp_path)) == 4


def test_the_summary_tells_what_the_watch_was_and_where_the_records_are(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "main.py").write_text("import os\nos.chdir('sub')")
    (tmp_path / "off.py").write_text("import torchtwin\ntorchtwin.unwatch()")
    _, _, err = watched(tmp_path, "main.py")
    assert ": watching, torch is not imported yet\n" in err
    assert "%twin" not in err
    assert (tmp_path / err.splitlines()[-1].removeprefix("records: ")).exists()
    assert ": off, torch is not imported yet\n" in watched(tmp_path, "off.py")[2]
    _, _, err = watched(tmp_path, "--records", str(tmp_path / "sub" / ".." / "other"), "main.py")
    assert (tmp_path / err.splitlines()[-1].removeprefix("records: ")).exists()


def test_records_that_could_not_all_be_written_are_told(tmp_path: Path) -> None:
    pytest.importorskip("resource", reason="no limits on this system")
    (tmp_path / "main.py").write_text(
        LAYER + "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (900, 900))\nfor _ in range(9): fc(x)"
    )
    status, _, err = watched(tmp_path, "--mode", "every", "main.py")
    assert status == 0
    assert "9 calls: 9 agree" in err
    assert err.endswith("\n  not all could be written there\n")


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
