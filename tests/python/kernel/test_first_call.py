"""The recording comes with the first call, in whatever state the user's program is by then."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ASKED = ("comparing", "causes", "proof", "failure", "fitting", "observe", "check", "gradient", "naming")
"""What loading the extension must leave to the first call."""
ANSWERED = ("report", "report_html", "report_text", "report_model", "twin_line", "comparing")
"""What it must leave to the first question."""
SHELL = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
def ours():
    return sorted(it for it in sys.modules if it.startswith("torchtwin"))
"""
STATE = """
from torchtwin.kernel.session import session
report = session.guard.report()
assert report is None, report.first
print(json.dumps([it["forward"]["kind"] for it in torchtwin.records()]))
"""


def python(source: str, folder: Path | None = None) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", source], capture_output=True, text=True, check=False, cwd=folder
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def loaded(source: str) -> list[str]:
    told: list[str] = json.loads(python(SHELL + source).splitlines()[-1])
    return told


def any_of(names: tuple[str, ...], modules: list[str]) -> set[str]:
    return {name for name in names if any(it.split(".")[2:3] == [name] for it in modules)}


@pytest.mark.parametrize("before", ["", "import torch\n"])
def test_loading_the_extension_leaves_the_recording_and_the_answers_alone(before: str) -> None:
    modules = loaded(before + "shell.run_line_magic('load_ext', 'torchtwin')\nprint(json.dumps(ours()))")
    assert "torchtwin.kernel.magics" in modules
    assert any_of(ASKED + ANSWERED, modules) == set()


def test_the_recording_is_there_before_the_next_cell_once_torch_has_come() -> None:
    modules = loaded(
        "shell.run_line_magic('load_ext', 'torchtwin')\n"
        "shell.run_cell('1 + 1')\nassert not any('observe' in it for it in ours())\n"
        "shell.run_cell('import torch')\n"
        "shell.run_cell('found = sorted(__import__(\"sys\").modules)')\nprint(json.dumps(shell.user_ns['found']))"
    )
    assert any_of(ASKED, modules) == set(ASKED)


def test_the_tensors_are_told_after_the_very_cell_that_imports_torch() -> None:
    told = loaded(
        "shell.run_line_magic('load_ext', 'torchtwin')\n"
        "shell.run_cell('import torch; x = torch.ones(2)')\n"
        "from torchtwin.kernel.session import session\nfrom torchtwin.protocol import Tensors\n"
        "events = [it.event for it in session.page(0, 100).envelopes]\n"
        "print(json.dumps([row.name for it in events if isinstance(it, Tensors) for row in it.rows]))"
    )
    assert told == ["x"]


def test_the_first_call_in_the_cell_that_loads_brings_nothing_but_modules_of_ours() -> None:
    modules = loaded(
        "import torch\nshell.run_line_magic('load_ext', 'torchtwin')\nlayer = torch.nn.Linear(2, 3)\n"
        "before = set(sys.modules)\nlayer(torch.ones(1, 2))\nprint(json.dumps(sorted(set(sys.modules) - before)))"
    )
    assert any_of(ASKED, modules) == set(ASKED)
    assert [it for it in modules if not it.startswith("torchtwin.")] == []


def test_the_first_call_shows_nothing_of_ours_to_a_mode_of_the_users() -> None:
    told = python(
        "import json, torch, torchtwin\nfrom torch.overrides import TorchFunctionMode\n"
        "class Strict(TorchFunctionMode):\n"
        "    def __torch_function__(self, function, types, args=(), kwargs=None):\n"
        "        assert function.__name__ == 'linear', function\n        return function(*args, **(kwargs or {}))\n"
        "torchtwin.watch('every')\nlayer, x = torch.nn.Linear(2, 3), torch.ones(1, 2)\n"
        "with Strict(): layer(x)\n" + STATE
    )
    assert json.loads(told) == ["identical"]


def test_the_first_call_is_recorded_from_another_folder_with_modules_named_like_ours(tmp_path: Path) -> None:
    for name in ("observe", "session", "check", "msgspec", "torchtwin", "naming", "failure"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('the user has a module of that name')\n")
    told = python(
        "import json, os, sys, torch, torchtwin\ntorchtwin.watch('every')\nlayer = torch.nn.Linear(2, 3)\n"
        f"os.chdir({str(tmp_path)!r})\nsys.path[:] = ['', {str(tmp_path)!r}]\nlayer(torch.ones(1, 2))\n" + STATE
    )
    assert json.loads(told) == ["identical"]


def test_the_first_call_may_come_while_a_module_of_the_users_is_imported(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("import torch\noutput = torch.nn.Linear(2, 3)(torch.ones(1, 2))\n")
    source = "import _imp, json, torchtwin\ntorchtwin.watch('every')\n_imp.acquire_lock()\nimport model\n"
    told = python(source + "_imp.release_lock()\n" + STATE, tmp_path)
    assert json.loads(told) == ["identical"]


def test_the_first_calls_of_several_threads_are_all_recorded() -> None:
    told = python(
        "import json, threading, torch, torchtwin\ntorchtwin.watch('every')\nlayer = torch.nn.Linear(2, 3)\n"
        "start = threading.Barrier(8)\n"
        "def run():\n    start.wait()\n    layer(torch.ones(1, 2))\n"
        "threads = [threading.Thread(target=run) for _ in range(8)]\n"
        "[it.start() for it in threads]\n[it.join(60) for it in threads]\n" + STATE
    )
    assert json.loads(told) == ["identical"] * 8


def test_a_function_bound_before_the_first_call_is_heard_after_it() -> None:
    told = python(
        "import json, torch, torchtwin\ntorchtwin.watch('every')\nfrom torch.nn.functional import linear\n"
        "layer = torch.nn.Linear(2, 3)\nlayer(torch.ones(1, 2))\n"
        "linear(torch.ones(1, 2), layer.weight, layer.bias)\n" + STATE
    )
    assert json.loads(told) == ["identical"] * 2


def test_after_the_first_call_the_next_take_the_fast_path_and_tensors_can_be_swapped() -> None:
    told = python(
        "import json, torch, torchtwin\ntorchtwin.watch('shapes')\nfrom torchtwin.kernel.session import session\n"
        "session._pulse.stop()\nlayer = torch.nn.Linear(2, 3)\n"
        "for at in range(9):\n    layer(torch.ones(1, 2))\n"
        "    if at == 4: heard, session._recording.returned = session._recording.returned, None\n"
        "session._recording.returned = heard\n"
        "torch.utils.swap_tensors(layer.weight, torch.nn.Parameter(torch.ones(3, 2)))\n" + STATE
    )
    assert json.loads(told) == ["unchecked"] * 9


def test_a_first_call_that_raises_is_recorded_and_raises_what_it_would() -> None:
    told = python(
        "import json, torch, torchtwin\ntorchtwin.watch('every')\n"
        "try:\n    torch.nn.Linear(2, 3)(torch.ones(1, 3))\n"
        "except RuntimeError as error:\n    assert 'shapes' in str(error)\n" + STATE
    )
    assert json.loads(told) == ["unchecked"]


def test_a_first_call_at_the_end_of_the_process_harms_nobody() -> None:
    told = python(
        "import torch, torchtwin\ntorchtwin.watch('every')\n"
        "class Last:\n"
        "    layer, input = torch.nn.Linear(2, 3), torch.ones(1, 2)\n"
        "    def __del__(self):\n        print(tuple(self.layer(self.input).shape), sys.meta_path)\n"
        "import sys\nlast = Last()\n"
    )
    assert told.strip() == "(1, 3) None"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_child_that_is_forked_while_another_thread_makes_the_first_call_makes_its_own() -> None:
    told = python(
        "import json, os, sys, threading, torch, torchtwin\ntorch.set_num_threads(1)\n"
        "torchtwin.watch('every')\nlayer = torch.nn.Linear(2, 3)\n"
        "begun = threading.Event()\n"
        "class Slow:\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'torchtwin.kernel.failure':\n"
        "            begun.set()\n            threading.Event().wait(0.2)\n"
        "sys.meta_path.insert(0, Slow())\n"
        "thread = threading.Thread(target=lambda: layer(torch.ones(1, 2)))\nthread.start()\nbegun.wait()\n"
        "child = os.fork()\n"
        "if not child:\n    import signal\n    signal.alarm(20)\n    layer(torch.ones(1, 2))\n"
        "    os._exit(0 if torchtwin.records() else 1)\n"
        "assert os.waitpid(child, 0)[1] == 0, 'the child waits for ever'\nthread.join()\n" + STATE
    )
    assert json.loads(told) == ["identical"]
