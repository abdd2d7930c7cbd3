"""Which frame is meant: of plain code, at the prompts of pdb and IPython's debugger, and after an error."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys
import torch, torchtwin
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(3, 4), nn.Linear(5, 2)
    def forward(self, inputs):
        h = torch.relu(self.fc1(inputs))
        STOP
        y = self.fc2(h)
        return y

net = Net()
data = torch.ones(2, 3)
net(data)
"""
PROMPTS = {
    "pdb": "breakpoint()",
    "ipdb": "import IPython.core.debugger as d; d.Pdb().set_trace()",
}


def printed(folder: Path, program: str, typed: str, *arguments: str) -> list[str]:
    """What each `here` at the prompt printed: from its first line on."""
    file = folder / "model.py"
    file.write_text(program, encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, *arguments, str(file)], input=typed, capture_output=True, text=True, timeout=300
    )
    assert "fault of Torchtwin" not in ran.stdout
    parts = ran.stdout.split("at ..." if "at ..." in ran.stdout else f"at {file}")[1:]
    return ["at " + re.split(r"\n(?=\(Pdb\)|ipdb>)", part)[0] for part in parts]


@pytest.mark.parametrize("prompt", PROMPTS)
def test_at_a_prompt_it_is_the_frame_that_up_and_down_have_chosen(tmp_path: Path, prompt: str) -> None:
    program = PROGRAM.replace("STOP", PROMPTS[prompt])
    typed = "torchtwin.here()\nup\nup\nup\n!torchtwin.here()\ndown\ndown\ndown\np torchtwin.here()\nq\n"
    first, outer, again = printed(tmp_path, program, typed)
    assert "in forward" in first
    assert "y = self.fc2(h)" in first
    assert "! will raise" in first
    assert "`h` has 4 features, `net.fc2` takes 5." in first
    assert "local tensors\n  inputs  [2, 3]" in first
    assert "net(data)" in outer
    assert "in forward" not in outer
    assert "global tensors\n  data  [2, 3]" in outer
    assert "inputs" not in outer
    assert "y = self.fc2(h)" in again


@pytest.mark.parametrize("prompt", PROMPTS)
def test_what_was_assigned_at_the_prompt_counts_and_stays(tmp_path: Path, prompt: str) -> None:
    program = PROGRAM.replace("STOP", PROMPTS[prompt])
    typed = "!h = torch.ones(7, 5)\ntorchtwin.here()\n!torchtwin.here()\nq\n"
    for text in printed(tmp_path, program, typed):
        assert "  h       [7, 5]" in text
        assert "[7, 5] @      [5, 2]       +      [2]      -> [7, 2]" in text
        assert "comes next" in text


def test_after_an_error_the_operands_that_clashed_are_shown_in_each_frame(tmp_path: Path) -> None:
    program = PROGRAM.replace("STOP", "pass")
    typed = "c\nimport torchtwin\ntorchtwin.here()\nup\nup\nup\ntorchtwin.here()\nq\n"
    file = tmp_path / "model.py"
    file.write_text(program, encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "-m", "pdb", str(file)], input=typed, capture_output=True, text=True, timeout=300
    )
    inner, own = ran.stdout.split("(Pdb) at ")[1:]
    assert "F.linear(input, self.weight, self.bias), net.fc2" in inner
    assert "y = self.fc2(h)" in own
    for text in (inner, own):
        assert "! raised" in text
        assert "h    @ self.fc2.weight.T + self.fc2.bias" in text
        assert "`h` has 4 features, `net.fc2` takes 5." in text
        assert "(RuntimeError: mat1 and mat2 shapes cannot be multiplied (2x4 and 5x2))" in text


HANDLED = """
import sys
import torch, torchtwin
from torch import nn
fc, fc2, x = nn.Linear(3, 2), nn.Linear(2, 2), torch.ones(4, 3)
def run(h):
    try:
        return fc(h)
    finally:
        fc2(fc(x))
        h = None
try:
    run(torch.ones(4, 2))
except RuntimeError as error:
    caught = error
import pdb
pdb.post_mortem(caught.__traceback__)
"""


def test_a_frame_whose_handlers_ran_on_is_told_where_it_raised(tmp_path: Path) -> None:
    file = tmp_path / "handled.py"
    file.write_text(HANDLED, encoding="utf-8")
    typed = "up\nup\nup\nimport torchtwin\ntorchtwin.here()\nq\n"
    ran = subprocess.run([sys.executable, str(file)], input=typed, capture_output=True, text=True, timeout=300)
    (text,) = ran.stdout.split("(Pdb) at ")[1:]
    assert "return fc(h)" in text
    assert "! raised" in text


STEPPED = """
import pdb, torch, torchtwin
h, w = torch.ones(4, 2), torch.ones(2, 3)
def f():
    return h @ w.T
try:
    pdb.runcall(f)
except RuntimeError:
    pass
"""


def test_where_pdb_stops_at_an_exception_it_has_been_raised(tmp_path: Path) -> None:
    before, after = printed(tmp_path, STEPPED, "torchtwin.here()\nn\ntorchtwin.here()\nq\n")
    assert "! will raise" in before
    assert "! raised" in after
    for text in (before, after):
        assert "`h` has 2 features, `w.T` takes 3." in text
        assert "(RuntimeError: mat1 and mat2 shapes cannot be multiplied (4x2 and 3x2))" in text


def test_called_by_code_it_is_the_frame_of_that_code_and_the_next_line(tmp_path: Path) -> None:
    program = PROGRAM.replace("STOP", "torchtwin.here()")
    (text,) = printed(tmp_path, program, "")
    assert "in forward" in text
    assert "self.fc2(h), net.fc2" in text
    assert "! will raise" in text


def test_before_torch_is_imported_it_says_so(tmp_path: Path) -> None:
    (text,) = printed(tmp_path, "import torchtwin, sys\ntorchtwin.here()\nassert 'torch' not in sys.modules", "")
    assert text.endswith("\n\ntorch is not imported yet: there are no tensors\n")


def test_an_outer_frame_waits_for_what_it_has_called(tmp_path: Path) -> None:
    program = PROGRAM.replace("STOP", "breakpoint()").replace("net(data)", "nn.Sequential(net)(data)")
    program += "fc = nn.Linear(3, 3)\nfc.register_forward_hook(lambda *args: breakpoint())\nz = fc(data)\n"
    typed = "!h = torch.ones(2, 5)\nc\n" + "up\n" * 4 + "torchtwin.here()\nq\n"
    (text,) = printed(tmp_path, program, typed)
    assert "z = fc(data)" in text
    assert "running" in text


@pytest.mark.parametrize("how", ["exec('torchtwin.here()')", "eval('torchtwin.here()')"])
def test_code_without_a_source_has_tensors_all_the_same(tmp_path: Path, how: str) -> None:
    program = "import torch, torchtwin\nx = torch.ones(2)\n" + how
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300, cwd=tmp_path)
    assert "what this line will compute is not told: its source is not known" in ran.stdout
    assert "x  [2]" in ran.stdout


@pytest.mark.parametrize("words", ["torchtwin.here()\ny = fc(x)", "y = [torchtwin.here(), fc(x)]"])
def test_a_file_that_was_edited_since_is_not_believed(tmp_path: Path, words: str) -> None:
    program = (
        "import pathlib, torch, torchtwin\n"
        "fc, x = torch.nn.Linear(3, 2), torch.ones(1, 3)\n"
        "file = pathlib.Path(__file__)\n"
        "file.write_text(file.read_text().replace('fc' + '(x)', 'fc' + '(x @ x.T)'))\n"
        f"{words}\n"
    )
    (text,) = printed(tmp_path, program, "")
    assert "its source is not known" in text
    assert "@" not in text
