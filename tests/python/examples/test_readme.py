"""What the README shows is what comes out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyter_client.manager import start_new_kernel
from tests.python.kernel.test_extension import TIMEOUT, Kernel, bundle

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text()
CODE = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
SHOWN = re.findall(r"```text\n(.*?)```", README, re.DOTALL)


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    manager, client = start_new_kernel(kernel_name="python3")
    yield Kernel(manager, client)
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.fixture
def compared(kernel: Kernel) -> Kernel:
    """A watched kernel in which the formula was computed, and compared."""
    assert kernel.run("%reload_ext torchtwin\n" + CODE[4]).status == "ok"
    return kernel


def test_the_ten_lines_give_the_report_and_the_failing_call_its_note(kernel: Kernel) -> None:
    load, layer, failing, *_ = CODE
    assert kernel.run(load).status == "ok"
    assert bundle(kernel.run(layer))["text/plain"].strip() == SHOWN[0].strip()
    ran = kernel.run(failing)
    (error,) = [output for output in ran.outputs if output["type"] == "error"]
    trace = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error["traceback"]))
    assert trace.strip().endswith(SHOWN[1].strip())


def test_the_script_prints_what_its_comment_says(kernel: Kernel) -> None:
    script = CODE[3]
    assert kernel.run("import torchtwin; torchtwin.clear(); torchtwin.unwatch()\n" + script).text.strip() == (
        script.split("# ")[-1].strip()
    )


def test_the_comparison_of_a_formula_is_shown_as_it_comes_out(compared: Kernel) -> None:
    assert bundle(compared.run(CODE[4]))["text/plain"].strip() == SHOWN[2].strip()


def test_the_same_question_as_a_value_and_as_an_assertion_has_the_same_words(compared: Kernel) -> None:
    shown = SHOWN[2].strip()
    assert compared.run("verdict = torchtwin.compare(by_hand, y)\nprint(verdict)").text.strip() == shown
    assert compared.value("[verdict.kind, verdict.proof, verdict.diagnosis.code, bool(verdict)]") == (
        ["different", True, "missing_transpose", False]
    )
    (error,) = [o for o in compared.run("torchtwin.assert_same(by_hand, y)").outputs if o["type"] == "error"]
    assert (error["ename"], error["evalue"].strip()) == ("AssertionError", shown)


PAUSED = """\
from IPython.core.debugger import set_trace
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = torch.nn.Linear(3, 4), torch.nn.Linear(5, 2)
    def forward(self, inputs):
        h = self.fc1(inputs)
        set_trace()
        return self.fc2(h)
net = Net()
torch.nn.init.ones_(net.fc1.weight), torch.nn.init.zeros_(net.fc1.bias)
data = None
net(torch.ones(2, 3))
"""


def test_a_paused_frame_is_shown_as_it_comes_out(kernel: Kernel) -> None:
    names = ("x", "y", "w", "b", "by_hand", "fc", "h", "verdict")
    kernel.run(f"import torch, torchtwin\nfor name in {names}:\n    globals().pop(name, None)")
    request = kernel.client.execute(PAUSED, allow_stdin=True)
    for typed in ("torchtwin.here()", "q"):
        kernel.client.get_stdin_msg(timeout=TIMEOUT)
        kernel.client.input(typed)
    kernel.reply(request)
    shown = SHOWN[3].strip().partition("\n")[2]
    numbered = re.sub(r"cell \[\d+\]", "cell [4]", "".join(texts(kernel, request)))
    assert shown in numbered


def texts(kernel: Kernel, request: str) -> Iterator[str]:
    while (message := kernel.client.get_iopub_msg(timeout=TIMEOUT))["parent_header"].get("msg_id") != request:
        pass
    while message["msg_type"] != "status" or message["content"]["execution_state"] != "idle":
        yield message["content"].get("text", "")
        message = kernel.client.get_iopub_msg(timeout=TIMEOUT)


def test_in_a_test_the_mended_formula_passes_and_the_wrong_one_fails(compared: Kernel) -> None:
    assert compared.run(CODE[6]).status == "ok"
    assert compared.run(CODE[6].replace(".T", "")).status == "error"


def test_two_functions_are_compared_as_the_comment_says(compared: Kernel) -> None:
    assert compared.run(CODE[5]).text.strip() == CODE[5].split("# ")[-1].strip()
    assert compared.run(CODE[5].replace(".T + bias", ".T")).text.startswith("False ")


@pytest.mark.parametrize(
    "snippets", [CODE, CODE[3:4], CODE[4:]], ids=["from the top", "the script alone", "the section on comparing alone"]
)
def test_every_snippet_runs_as_it_stands_in_a_new_kernel(snippets: list[str]) -> None:
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        new = Kernel(manager, client)
        failed = [snippet for snippet in snippets if new.run(snippet).status != "ok"]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert failed == [snippet for snippet in snippets if snippet == CODE[2]]  # which shows an error


def test_every_notebook_that_is_listed_is_there() -> None:
    listed = re.findall(r"\((examples/.*?\.ipynb)\)", README)
    assert len(listed) == len(set(listed))
    assert {ROOT / name for name in listed} == set((ROOT / "examples").glob("*.ipynb"))
