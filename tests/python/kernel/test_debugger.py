"""A breakpoint in a `%%twin` cell is hit at the right line, through the kernel's own debugger."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel
from tests.python.kernel.test_extension import TIMEOUT, Kernel

BODY = "a = 1\nb = a + 1\nc = b"
CELLS = {
    f"%%twin\n{BODY}": 3,
    f"%%twin --assert\n{BODY}": 3,
    f"%%twin\n\n# a comment\n{BODY}": 5,
    f"%%twin\n%timeit -n1 -r1 1\n{BODY}\n": 4,
}
"""Each with the line of `b = a + 1`."""


class Debugger:
    """The Debug Adapter Protocol over the control channel."""

    def __init__(self, kernel: Kernel) -> None:
        self._client = kernel.client
        self._seq = 0

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        self._seq += 1
        content = {"type": "request", "seq": self._seq, "command": command, "arguments": arguments}
        message = self._client.session.msg("debug_request", content)
        self._client.control_channel.send(message)
        while True:
            reply = self._client.get_control_msg(timeout=TIMEOUT)
            if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                return dict(reply["content"].get("body") or {})

    def attach(self) -> None:
        self.ask("initialize", clientID="t", adapterID="", pathFormat="path", linesStartAt1=True, columnsStartAt1=True)
        self.ask("attach")

    def break_at(self, code: str, line: int) -> None:
        path = self.ask("dumpCell", code=code)["sourcePath"]
        self.ask("setBreakpoints", breakpoints=[{"line": line}], source={"path": path}, sourceModified=False)
        self.ask("configurationDone")

    def wait_until_stopped(self) -> dict[str, Any]:
        until = time.monotonic() + TIMEOUT
        while time.monotonic() < until:
            content = self._client.get_iopub_msg(timeout=TIMEOUT)["content"]
            if content.get("event") == "stopped":
                return dict(content["body"])
        raise TimeoutError("the breakpoint was not hit")


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    manager, client = start_new_kernel(kernel_name="python3")
    yield Kernel(manager, client)
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.mark.parametrize(("cell", "line"), CELLS.items())
def test_a_breakpoint_in_a_twin_cell_is_hit_at_its_line(kernel: Kernel, cell: str, line: int) -> None:
    kernel.load()
    debugger = Debugger(kernel)
    debugger.attach()
    debugger.break_at(cell, line=line)
    request = kernel.client.execute(cell)
    thread = debugger.wait_until_stopped()["threadId"]
    frames = debugger.ask("stackTrace", threadId=thread)["stackFrames"]
    assert (frames[0]["name"], frames[0]["line"]) == ("<module>", line)
    names = "'a' in globals(), 'b' in globals()"  # the line itself has not run yet
    value = debugger.ask("evaluate", expression=names, frameId=frames[0]["id"], context="repl")
    assert value["result"] == "(True, False)"
    debugger.ask("continue", threadId=thread)
    assert kernel.reply(request)["status"] == "ok"
