"""The kernel's own debugger asks, over the Debug Adapter Protocol, and nothing in the kernel is changed by it."""

from __future__ import annotations

import ast
import base64
import json
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from jupyter_client.manager import start_new_kernel
from tests.python.kernel.test_debugger import Debugger
from tests.python.kernel.test_extension import TIMEOUT, Kernel

from torchtwin.kernel.paused import debugger
from torchtwin.protocol import PROTOCOL, Refused
from torchtwin.protocol.paused import (
    PAUSED_ASK,
    Evaluate,
    Evaluated,
    Inspect,
    PausedAnswer,
    PausedFrame,
    PausedReply,
    PausedRequest,
)

SETUP = """
import torch, torchtwin, random, numpy
from torch import nn
torch.manual_seed(0)
x = torch.ones(4, 3)
fc = nn.Linear(3, 2)
fc(x).sum().backward()
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(3, 4), nn.Linear(5, 2)
    def forward(self, h):
        __import__ = str = len = base64 = torchtwin = None
        h = torch.relu(self.fc1(h))
        return self.fc2(h)
net = Net()
"""
CELL = "hidden = 1\ny = net.forward(x)\nz = 1"
STATE = """(
    len(__import__('torchtwin').records()),
    torch.get_rng_state().sum().item(), hash(random.getstate()), numpy.random.get_state()[1].sum().item(),
    torch.is_grad_enabled(), fc.weight.grad.tolist(), fc.weight._version, fc.weight.grad._version, x._version,
    len(fc._forward_hooks), net.fc1.weight.tolist(), sorted(k for k in globals() if not k.startswith('_')),
)"""


CELL_WITH_ALL = SETUP + CELL


def line_of(cell: str, words: str) -> int:
    return cell[: cell.index(words)].count("\n") + 1


def expression(request: PausedRequest) -> str:
    return f"{PAUSED_ASK}('{base64.b64encode(msgspec.json.encode(request)).decode()}')"


def read(result: str) -> PausedReply:
    """From what a debugger shows: the `repr` of a string."""
    answer = msgspec.json.decode(base64.b64decode(ast.literal_eval(result)), type=PausedAnswer)
    assert answer.protocol == PROTOCOL
    return answer.reply


def attached(kernel: Kernel, exceptions: tuple[str, ...] = ()) -> Debugger:
    debugger = Debugger(kernel)
    debugger.attach()
    debugger.ask("setExceptionBreakpoints", filters=list(exceptions))
    debugger.ask("configurationDone")
    return debugger


class Paused:
    """A kernel that stands at a breakpoint."""

    def __init__(self, kernel: Kernel, cell: str, at: str | None, debugger: Debugger | None = None) -> None:
        """Stops at the line with the words `at`, else where the program itself stops."""
        self.kernel = kernel
        self.debugger = debugger or attached(kernel)
        if at is not None:
            self.debugger.break_at(cell, line=line_of(cell, at))
        self._request = self.kernel.client.execute(cell)
        self._stopped()

    def _stopped(self) -> None:
        self._thread = self.debugger.wait_until_stopped()["threadId"]
        self.frames = self.debugger.ask("stackTrace", threadId=self._thread)["stackFrames"]

    def step(self, how: str) -> None:
        self.debugger.ask(how, threadId=self._thread)
        self._stopped()

    def frame(self, function: str) -> dict[str, Any]:
        return next(it for it in self.frames if it["name"].rpartition(".")[2] == function)

    def evaluate(self, words: str, function: str) -> str:
        id = self.frame(function)["id"]
        return str(self.debugger.ask("evaluate", expression=words, frameId=id, context="clipboard")["result"])

    def ask(self, request: PausedRequest, function: str) -> PausedReply:
        return read(self.evaluate(expression(request), function))

    def printed(self) -> str:
        """The next text that the kernel writes."""
        while True:
            message = self.kernel.client.get_iopub_msg(timeout=TIMEOUT)
            if message["msg_type"] == "stream":
                return str(message["content"]["text"])

    def go_on(self) -> dict[str, Any]:
        self.debugger.ask("continue", threadId=self._thread)
        return self.kernel.reply(self._request)


def products(paused: Paused) -> list[tuple[str, str]]:
    told = paused.ask(Inspect(), "<module>")
    assert isinstance(told, PausedFrame)
    return [(it.words, it.state) for it in told.products]


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    manager, client = start_new_kernel(kernel_name="python3")
    yield Kernel(manager, client)
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def test_a_stopped_frame_and_its_outer_frames_are_told_and_nothing_changes(kernel: Kernel) -> None:
    kernel.load()
    assert kernel.run(SETUP).status == "ok"
    paused = Paused(kernel, CELL_WITH_ALL, at="return self.fc2(h)")
    before = paused.evaluate(STATE, "forward")

    inner = paused.ask(Inspect(), "forward")
    assert isinstance(inner, PausedFrame)
    assert (inner.function, inner.site.source) == ("forward", "return self.fc2(h)")
    assert inner.site.line == line_of(CELL_WITH_ALL, "return")
    assert inner.site.cell_id is None
    assert inner.site.execution_count == 2
    assert [(it.name, it.scope, it.shape) for it in inner.tensors] == [("h", "local", [4, 4]), ("x", "global", [4, 3])]
    (product,) = inner.products
    assert (product.words, product.name, product.state) == ("self.fc2(h)", "net.fc2", "ahead")
    assert product.error is not None
    assert product.error.explanation == "`h` has 4 features, `net.fc2` takes 5."
    assert product.error.message == "mat1 and mat2 shapes cannot be multiplied (4x4 and 5x2)"

    outer = paused.ask(Inspect(), "<module>")
    assert isinstance(outer, PausedFrame)
    assert [(it.name, it.scope) for it in outer.tensors] == [("x", "global")]
    assert (outer.site.line, outer.products, outer.unknown) == (line_of(CELL_WITH_ALL, "y = "), [], None)

    value = paused.ask(Evaluate("fc.weight.grad - fc.weight.grad.mean()"), "<module>")
    assert isinstance(value, Evaluated)
    assert value.table == [[0, 0, 0], [0, 0, 0]]
    own = paused.ask(Evaluate("fc(x), self.fc1(h[:, :3]).shape, torch.rand(1), random.random()"), "forward")
    assert isinstance(own, Evaluated)
    assert own.error is None
    compared = paused.ask(Evaluate("torchtwin.compare(fc(x), x @ fc.weight.T + fc.bias).kind"), "<module>")
    assert isinstance(compared, Evaluated)
    assert compared.text in ("'identical'", "'rounding'")
    wrong = paused.ask(Evaluate("nobody"), "forward")
    assert isinstance(wrong, Evaluated)
    assert wrong.error is not None
    assert wrong.error.message == "name 'nobody' is not defined"
    given_up = paused.ask(Evaluate("[0 for _ in iter(int, 1)]", seconds=0.2), "forward")
    assert isinstance(given_up, Evaluated)
    assert given_up.error is not None
    assert given_up.error.message == "given up after 0.2 s"

    assert paused.evaluate(STATE, "forward") == before
    assert paused.go_on()["ename"] == "RuntimeError"
    assert kernel.value("torchtwin.records()[-1]['error']['explanation']") == "`h` has 4 features, `net.fc2` takes 5."


def test_here_tells_the_selected_frame_in_the_debug_console(kernel: Kernel) -> None:
    kernel.load()
    paused = Paused(kernel, CELL_WITH_ALL, at="return self.fc2(h)")
    for function, head in (("forward", "in forward"), ("<module>", "y = net.forward(x)")):
        paused.evaluate("(lambda:0).__builtins__['__import__']('torchtwin').here()", function)
        assert head in paused.printed()
    paused.go_on()


def test_stepping_tells_what_is_left_of_a_line(kernel: Kernel) -> None:
    kernel.load()
    cell = SETUP + "def half(t):\n    return t / 2\ny = fc(half(x)) + half(fc(x)).sum()\nz = 1"
    paused = Paused(kernel, cell, at="y = fc(half(x))")
    assert products(paused) == [("fc(half(x))", "ahead"), ("fc(x)", "ahead")]
    paused.step("stepIn")
    assert paused.frames[0]["name"] == "half"
    assert products(paused) == [("fc(half(x))", "ahead"), ("fc(x)", "ahead")]
    paused.step("stepOut")
    assert paused.frames[0]["name"] == "<module>"
    assert products(paused) == [("fc(half(x))", "ahead"), ("fc(x)", "ahead")]
    assert paused.go_on()["status"] == "ok"


def test_a_line_of_a_twin_cell_is_told_as_one_of_any_other(kernel: Kernel) -> None:
    kernel.load()
    kernel.run(SETUP)
    cell = "%%twin\nh = torch.ones(4, 2)\ny = fc(x)\nz = fc(h)"
    paused = Paused(kernel, cell, at="z = fc(h)")
    told = paused.ask(Inspect(), "<module>")
    assert isinstance(told, PausedFrame)
    assert (told.site.execution_count, told.site.line, told.site.source) == (2, 4, "z = fc(h)")
    assert [(it.words, it.error is None) for it in told.products] == [("fc(h)", False)]
    assert paused.go_on()["status"] == "error"


def test_a_question_that_can_not_be_read_is_refused() -> None:
    for question in ("", "%", base64.b64encode(b"{}").decode(), base64.b64encode(b'{"type": "perhaps"}').decode()):
        reply = read(repr(debugger.answer(question)))
        assert isinstance(reply, Refused)
        assert reply.code == "invalid"


def test_the_answer_is_short_plain_text() -> None:
    answer = debugger.answer(base64.b64encode(msgspec.json.encode(Inspect())).decode())
    assert repr(answer) == f"'{answer}'"
    assert json.loads(base64.b64decode(answer))["protocol"] == PROTOCOL


def test_where_an_exception_has_stopped_the_program_it_is_the_one_that_was_raised(kernel: Kernel) -> None:
    kernel.load()
    kernel.run(SETUP)
    kernel.run("torchtwin.unwatch()")  # else it stops in the stand-in for `F.linear` first
    paused = Paused(kernel, "h = torch.ones(4, 2)\ny = fc(h)", None, attached(kernel, ("raised",)))
    for function, words, state in (
        ("forward", "F.linear(input, self.weight, self.bias)", "raised"),
        ("<module>", "fc(h)", "running"),  # the exception has not come there yet
    ):
        told = paused.ask(Inspect(), function)
        assert isinstance(told, PausedFrame)
        (product,) = told.products
        assert (product.words, product.name, product.state) == (words, "fc", state)
        assert product.error is not None
        assert product.error.explanation == "`h` has 2 features, `fc` takes 3."
    paused.debugger.ask("setExceptionBreakpoints", filters=[])
    assert paused.go_on()["ename"] == "RuntimeError"


def test_the_programs_own_breakpoint_stops_before_the_next_line(kernel: Kernel) -> None:
    kernel.load()
    kernel.run(SETUP)
    paused = Paused(kernel, "def f(t):\n    breakpoint()\n    return fc(t)\nf(x)", None)
    told = paused.ask(Inspect(), "f")
    assert isinstance(told, PausedFrame)
    assert [(it.words, it.state) for it in told.products] == [("fc(t)", "ahead")]
    outer = paused.ask(Inspect(), "<module>")
    assert isinstance(outer, PausedFrame)
    assert outer.products == []
    assert paused.go_on()["status"] == "ok"


def test_an_interrupt_ends_an_evaluation_and_not_the_pause(kernel: Kernel) -> None:
    kernel.load()
    pid = kernel.value("__import__('os').getpid()")
    paused = Paused(kernel, CELL_WITH_ALL, at="return self.fc2(h)")
    timer = threading.Timer(1.0, os.kill, (pid, signal.SIGINT))
    timer.start()
    found = paused.ask(Evaluate("[0 for _ in iter(int, 1)]", seconds=20), "forward")
    timer.join()
    assert isinstance(found, Evaluated)
    assert found.error is not None
    assert found.error.type == "KeyboardInterrupt"
    assert isinstance(paused.ask(Inspect(), "forward"), PausedFrame)
    assert paused.go_on()["ename"] == "RuntimeError"
