"""What the README shows is what comes out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyter_client.manager import start_new_kernel
from tests.python.kernel.test_extension import Kernel, bundle

README = (Path(__file__).parents[3] / "README.md").read_text()
CODE = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
SHOWN = re.findall(r"```text\n(.*?)```", README, re.DOTALL)


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    manager, client = start_new_kernel(kernel_name="python3")
    yield Kernel(manager, client)
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def test_the_ten_lines_give_the_report_and_the_failing_call_its_note(kernel: Kernel) -> None:
    load, layer, failing, _ = CODE
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
