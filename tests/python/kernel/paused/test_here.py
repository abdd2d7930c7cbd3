"""`torchtwin.here()` and `%twin here`: what is printed, in a notebook and in a terminal of IPython."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyter_client.manager import start_new_kernel
from tests.python.kernel.test_extension import TIMEOUT, Kernel

from torchtwin.kernel.paused import here

SETUP = """\
import torch
from torch import nn
torch.manual_seed(0)
x, h = torch.ones(4, 3), torch.ones(4, 2)
fc = nn.Linear(3, 2)
"""
FAILED = """\
fc(h)                                                                   ! raised
    h    @ fc.weight.T + fc.bias
  [4, 2] @   [3, 2]    +   [2]
      ^       ^
  `h` has 2 features, `fc` takes 3.
"""


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    manager, client = start_new_kernel(kernel_name="python3")
    yield Kernel(manager, client)
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def test_a_magic_tells_the_next_line_of_the_cell(kernel: Kernel) -> None:
    kernel.load()
    assert "torch is not imported yet" in kernel.run("%twin here\ny = 1").text
    text = kernel.run(SETUP + "%twin here\ny = fc(x)").text
    assert text == (
        "at cell [2], line 6\n"
        "\n"
        "fc(x)                                                                 comes next\n"
        "    x    @ fc.weight.T + fc.bias ->   y\n"
        "  [4, 3] @   [3, 2]    +   [2]   -> [4, 2]\n"
        "\n"
        "global tensors\n"
        "  x  [4, 3]  float32                                              1 to 1, mean 1\n"
        "  h  [4, 2]  float32                                              1 to 1, mean 1\n"
    )
    assert kernel.run("import torchtwin\ntorchtwin.here()").text.startswith("at cell [3], line 2\n")
    assert "here" in kernel.run("here = 5\n%twin here").text  # a variable of the user's comes first


def test_after_an_error_the_debugger_of_a_notebook_shows_what_clashed(kernel: Kernel) -> None:
    kernel.load()
    kernel.run(SETUP + "import torchtwin")
    assert kernel.run("\ny = fc(h)").status == "error"
    request = kernel.client.execute("%debug", allow_stdin=True)
    typed = ["up", "up", "up", "torchtwin.here()", "q"]
    while typed:
        kernel.client.get_stdin_msg(timeout=TIMEOUT)
        kernel.client.input(typed.pop(0))
    text = ""
    while FAILED not in text:
        message = kernel.client.get_iopub_msg(timeout=TIMEOUT)
        text += message["content"].get("text", "")
    assert "y = fc(h)" in text
    kernel.reply(request)


def test_in_a_terminal_it_is_the_same(tmp_path: Path) -> None:
    lines = [*SETUP.splitlines(), "import torchtwin", "y = fc(h)", "%debug", "up", "up", "up", "torchtwin.here()", "q"]
    ran = subprocess.run(
        [sys.executable, "-m", "IPython", "--no-banner", "--colors=NoColor", "--simple-prompt"],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        timeout=300,
        env={**__import__("os").environ, "IPYTHONDIR": str(tmp_path)},
    )
    assert FAILED in ran.stdout


def test_a_fault_of_ours_is_told_and_raises_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(here, "inspect", lambda *args: 1 / 0)
    caught: list[Exception] = []
    monkeypatch.setattr(here.session.guard, "caught", caught.append)
    here.show(sys._getframe())
    assert "a fault of Torchtwin's own: ZeroDivisionError" in capsys.readouterr().out
    assert len(caught) == 1
