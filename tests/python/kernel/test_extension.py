"""The extension in a real kernel: loading, magics, pages on iopub, answers on the query comm."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel

from torchtwin.protocol import (
    COMM_ID,
    MIME_TYPE,
    QUERY_TARGET,
    Answered,
    Call,
    Comparison,
    Page,
    Pages,
    Run,
    State,
    Tensors,
)

TIMEOUT = 30


class Ran:
    """What came of one execution."""

    def __init__(self) -> None:
        self.outputs: list[dict[str, Any]] = []
        self.pages: list[Page] = []
        self.status = ""

    def take(self, message: dict[str, Any]) -> None:
        kind, content = message["msg_type"], message["content"]
        if kind == "comm_msg" and content["comm_id"] == COMM_ID:
            self.pages.append(msgspec.convert(content["data"], Page))
            assert message["parent_header"] == {}
        elif kind in ("stream", "execute_result", "display_data", "error"):
            self.outputs.append({"type": kind, **content})

    @property
    def text(self) -> str:
        return "".join(o["text"] for o in self.outputs if o["type"] == "stream")


class Kernel:
    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager = manager
        self.client = client
        self.pages: list[Page] = []

    def run(self, code: str, silent: bool = False) -> Ran:
        ran, request = Ran(), self.client.execute(code, silent=silent, store_history=not silent)
        while True:
            message = self.client.get_iopub_msg(timeout=TIMEOUT)
            ran.take(message)
            mine = message["parent_header"].get("msg_id") == request
            if mine and message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                break
        ran.status = self.reply(request)["status"]
        self.pages += ran.pages
        return ran

    def reply(self, request: str) -> dict[str, Any]:
        """The answer to this request; a kernel's first one, to the greeting, may come late."""
        while True:
            message = self.client.get_shell_msg(timeout=TIMEOUT)
            if message["parent_header"].get("msg_id") == request:
                return dict(message["content"])

    def load(self) -> None:
        assert self.run('get_ipython().extension_manager.load_extension("torchtwin")', silent=True).status == "ok"

    def value(self, expression: str) -> Any:
        """A JSON-able value of the kernel's."""
        return json.loads(self.run(f"import json\nprint(json.dumps({expression}))").text)

    def wait_for(self, done: Any) -> None:
        """Reads on until the pages so far satisfy `done`."""
        while not done(self.pages):
            message = self.client.get_iopub_msg(timeout=TIMEOUT)
            ran = Ran()
            ran.take(message)
            self.pages += ran.pages

    def ask(self, request: dict[str, Any]) -> Any:
        """Opens a query comm as a host does, and returns the first reply."""
        comm = uuid.uuid4().hex
        for kind, content in (
            ("comm_open", {"comm_id": comm, "target_name": QUERY_TARGET, "data": {}}),
            ("comm_msg", {"comm_id": comm, "data": {"id": "q", "request": request}}),
        ):
            self.client.shell_channel.send(self.client.session.msg(kind, content))
        while True:
            content = self.client.get_iopub_msg(timeout=TIMEOUT)["content"]
            if content.get("comm_id") == comm:
                return msgspec.convert(content["data"], Answered).reply


@pytest.fixture(scope="module")
def shared() -> Iterator[Kernel]:
    manager, client = start_new_kernel(kernel_name="python3")
    yield Kernel(manager, client)
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.fixture
def kernel(shared: Kernel) -> Iterator[Kernel]:
    """The kernel with an empty namespace and a freshly loaded extension."""
    shared.run("%reset -f")
    shared.load()
    shared.run("%twin clear")
    shared.pages.clear()
    yield shared
    shared.run("%unload_ext torchtwin", silent=True)


LAYER = "import torch\nx = torch.ones(1, 2)\nfc = torch.nn.Linear(2, 3)\n"


def events(pages: list[Page], kind: type) -> list[Any]:
    return [e.event for page in pages for e in page.envelopes if isinstance(e.event, kind)]


def test_loading_prints_nothing_and_twice_is_harmless(kernel: Kernel) -> None:
    assert kernel.run("import torchtwin; torchtwin.load_ipython_extension(get_ipython())").outputs == []
    kernel.run(LAYER + "fc(x)")
    assert kernel.value("len(__import__('torchtwin').records())") == 1


def test_a_call_arrives_with_its_cell(kernel: Kernel) -> None:
    kernel.run(LAYER + "y = fc(x)")
    kernel.wait_for(lambda pages: events(pages, Call))
    (call,) = events(kernel.pages, Call)
    assert (call.expression, call.site.line, call.site.source) == ("x @ fc.weight.T + fc.bias", 4, "y = fc(x)")
    assert call.site.file is None
    assert call.site.execution_count == kernel.value("get_ipython().execution_count") - 2


def test_the_tensors_arrive_after_the_cell(kernel: Kernel) -> None:
    kernel.run(LAYER)
    kernel.wait_for(lambda pages: events(pages, Tensors))
    assert [row.name for row in events(kernel.pages, Tensors)[-1].rows] == ["x"]


def test_the_state_tells_when_torch_comes(kernel: Kernel) -> None:
    kernel.run(LAYER)
    kernel.wait_for(lambda pages: any(state.torch for state in events(pages, State)))
    assert events(kernel.pages, State)[-1].watching


def test_the_ring_answers_a_replay(kernel: Kernel) -> None:
    kernel.run(LAYER + "for _ in range(5): fc(x)")
    reply = kernel.ask({"type": "replay", "after": 0, "limit": 2000})
    assert isinstance(reply, Pages)
    assert len(events([reply.page], Call)) == 5


@pytest.mark.parametrize("way", ["%twin off", "import torchtwin; torchtwin.unwatch()", "%unload_ext torchtwin"])
def test_each_way_off_leaves_torch_as_it_was(kernel: Kernel, way: str) -> None:
    kernel.run(LAYER + way)
    assert kernel.value("torch.nn.functional.linear is torch._C._nn.linear")
    assert kernel.value("[f.__qualname__ for f in get_ipython().events.callbacks['post_run_cell']]") == (
        [] if "unload" in way else ["Extension._after_cell"]
    )


def test_unloading_takes_the_magic_and_the_thread_away(kernel: Kernel) -> None:
    kernel.run("%unload_ext torchtwin")
    assert "not found" in kernel.run("%twin").text
    assert kernel.value("[t.name for t in __import__('threading').enumerate() if 'torchtwin' in t.name]") == []


def test_unloading_closes_what_asked(kernel: Kernel) -> None:
    assert isinstance(kernel.ask({"type": "replay", "after": 0, "limit": 1}), Pages)
    request = kernel.client.execute("%unload_ext torchtwin")
    kinds = []
    while not (kinds and kinds[-1] == "comm_close"):
        message = kernel.client.get_iopub_msg(timeout=TIMEOUT)
        kinds += [message["msg_type"]] if message["parent_header"].get("msg_id") == request else []
    kernel.reply(request)


def test_a_captured_cell_keeps_its_lines(kernel: Kernel) -> None:
    kernel.run("%%capture\n" + LAYER + "fc(x)")
    site = kernel.value("__import__('torchtwin').records()[-1]['site']")
    assert (site["line"], site["source"]) == (5, "fc(x)")


def test_an_empty_cell_within_a_cell_does_not_end_it(kernel: Kernel) -> None:
    kernel.run(LAYER + "get_ipython().run_cell('')\nget_ipython().run_cell('fc(x);')")
    site = kernel.value("__import__('torchtwin').records()[-1]['site']")
    assert site["line"] == 5


def test_unloading_leaves_the_shell_without_our_object(kernel: Kernel) -> None:
    kernel.run("%unload_ext torchtwin")
    assert kernel.value("'TwinMagics' in get_ipython().magics_manager.registry") is False
    assert kernel.value("[type(c).__name__ for c in get_ipython().configurables].count('TwinMagics')") == 0
    hooks = "get_ipython().input_transformers_cleanup, get_ipython().events.callbacks"
    assert kernel.value(f"'torchtwin' in repr(({hooks}))") is False


def test_reloading_works(kernel: Kernel) -> None:
    kernel.run("%reload_ext torchtwin\n" + LAYER + "fc(x)")
    assert kernel.value("len(__import__('torchtwin').records())") == 1


def test_twin_says_the_state_and_a_summary(kernel: Kernel) -> None:
    kernel.run(LAYER + "fc(x)")
    text = kernel.run("%twin").text
    assert "watching" in text
    assert "1 call: 1 agrees" in text
    assert "off" in kernel.run("%twin off").text
    assert "watching" in kernel.run("%twin on").text
    assert "0 calls" in kernel.run("%twin clear").text


def test_what_ran_unseen_arrives_after_the_cell_and_twin_tells_it(kernel: Kernel) -> None:
    kernel.run("import torch\nlin = torch._C._nn.linear")
    kernel.run("enc = torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()")
    kernel.run("with torch.no_grad(): enc(torch.ones(1, 1, 8))")
    kernel.wait_for(lambda pages: any(len(state.unseen) == 2 for state in events(pages, State)))
    assert [(it.kind, it.where, it.calls) for it in events(kernel.pages, State)[-1].unseen] == [
        ("early_bound", "`lin`", None),
        ("fused", "`enc`", 4),
    ]
    assert [line for line in kernel.run("%twin").text.splitlines() if "unseen" in line] == [
        "  unseen: `lin` was bound before the watch began: calls by it are not seen. Bind it again.",
        "  unseen: 4 linear calls of `enc` ran in a fused fast path of torch's: not seen. "
        "With `torch.backends.mha.set_fastpath_enabled(False)` they are.",
    ]


def test_an_unknown_word_gets_the_valid_ones(kernel: Kernel) -> None:
    ran = kernel.run("%twin ofd")
    assert ran.status == "ok"
    assert ran.text.strip() == (
        "%twin does not know 'ofd'. It takes one of on, off, mode, clear, report, here, an expression "
        "(`a == b` compares), "
        "or nothing for a summary."
    )


SQUARE = "import torch\nx = torch.randn(3, 2)\nfc = torch.nn.Linear(2, 2)\ny = fc(x)"


def test_two_expressions_are_compared_and_a_cause_is_found(kernel: Kernel) -> None:
    kernel.run(SQUARE)
    data = bundle(kernel.run("%twin y == x @ fc.weight + fc.bias"))
    assert "! different" in data["text/plain"]
    assert "Write `x @ fc.weight.T + fc.bias`." in " ".join(data["text/plain"].split())
    page = msgspec.convert(data[MIME_TYPE], Page)
    (comparison,) = [envelope.event for envelope in page.envelopes]
    assert isinstance(comparison, Comparison)
    assert (comparison.actual, comparison.expected) == ("y", "x @ fc.weight + fc.bias")
    assert comparison.verdict.diagnosis is not None
    assert comparison.verdict.diagnosis.code == "missing_transpose"


def test_calls_made_in_the_question_itself_are_known_also_while_the_watch_is_off(kernel: Kernel) -> None:
    kernel.run(SQUARE)
    kernel.run("%twin off")
    data = bundle(kernel.run("%twin fc(x) == x @ fc.weight.T + fc.bias"))
    assert "the operands of `fc(x)` are known" in " ".join(data["text/plain"].split())
    assert "off" in kernel.run("%twin").text


def test_after_the_watch_was_turned_off_a_question_tells_to_turn_it_on(kernel: Kernel) -> None:
    kernel.run("import torchtwin\n" + SQUARE)
    kernel.run("%twin off")
    for question in ("%twin y == x @ fc.weight.T + fc.bias", "torchtwin.compare(y, x @ fc.weight.T + fc.bias)"):
        assert "say `%twin on`" in " ".join(bundle(kernel.run(question))["text/plain"].split())
    assert "say `%twin on`" in kernel.run("%twin y").text
    kernel.run("%twin on")
    assert "say" not in bundle(kernel.run("%twin y == x @ fc.weight.T + fc.bias"))["text/plain"]


def test_one_expression_is_explained(kernel: Kernel) -> None:
    kernel.run(SQUARE)
    assert kernel.run("%twin y").text.splitlines()[1].startswith("  the output of `fc(x)`, cell [")
    assert "not traced to a recorded call" in kernel.run("%twin torch.ones(2)").text


def test_an_expression_that_raises_is_told_without_a_traceback(kernel: Kernel) -> None:
    kernel.run(SQUARE)
    ran = kernel.run("%twin y == nothing.here")
    assert ran.status == "ok"
    assert ran.text == "`nothing.here` raised NameError: name 'nothing' is not defined\n"


def test_a_cell_that_asserts_fails_where_a_variable_is_nearly_the_output(kernel: Kernel) -> None:
    ran = kernel.run("%%twin --assert\n" + SQUARE + "\nhand = x @ fc.weight + fc.bias\n'shown'")
    assert ran.status == "error"
    (error,) = [o for o in ran.outputs if o["type"] == "error"]
    assert error["ename"] == "AssertionError"
    assert "Write `x @ fc.weight.T + fc.bias`." in error["evalue"]
    assert [o["data"]["text/plain"] for o in ran.outputs if o["type"] == "execute_result"] == ["'shown'"]
    assert kernel.run("1").status == "ok"


def test_a_cell_that_asserts_passes_where_all_agrees(kernel: Kernel) -> None:
    ran = kernel.run("%%twin --assert\n" + SQUARE + "\nhand = x @ fc.weight.T + fc.bias")
    assert ran.status == "ok"
    assert MIME_TYPE in ran.outputs[-1]["data"]


@pytest.mark.parametrize(
    ("cell", "status"),
    [
        ("pre = x @ fc.weight.T\nanswer = pre + fc.bias", "ok"),
        ("r = fc(x).T\nanswer = x @ fc.weight.T + fc.bias", "ok"),
        ("pre = x @ fc.weight.T", "error"),
        ("pre = x @ fc.weight.T\nanswer = pre + fc.bias + fc.bias", "error"),
        ("backwards = y.detach().flip(0).clone()", "ok"),
        ("with torch.no_grad(): fc.weight.add_(0.1)\nafter = fc(x)", "ok"),
        (
            "opt = torch.optim.SGD(fc.parameters(), 0.1)\n"
            "for _ in range(3): opt.zero_grad(); y = fc(x); (y ** 2).mean().backward(); opt.step()",
            "ok",
        ),
        ("(y ** 2).mean().backward()\nw = fc.weight - 0.1 * fc.weight.grad\nstep = -0.1 * fc.weight.grad", "ok"),
        ("(y ** 2).mean().backward()\ng = 2 * y.detach() / y.numel()\ndW = g.T @ x\ndb = g.sum(0)", "ok"),
        ("(y ** 2).mean().backward()\ng = 2 * y.detach() / len(y)\ndW = g.T @ x", "error"),
        ("(y ** 2).mean().backward()\ng = 2 * y.detach() / len(y)\nmine = g.T @ x", "error"),
    ],
)
def test_a_cell_that_asserts_passes_an_answer_in_two_steps_and_fails_half_of_it(
    kernel: Kernel, cell: str, status: str
) -> None:
    assert kernel.run("%%twin --assert\n" + SQUARE + "\n" + cell).status == status


def test_the_report_of_a_cell_that_fails_shows_what_it_fails_by_also_in_a_loop(kernel: Kernel) -> None:
    ran = kernel.run("%%twin --assert\n" + SQUARE + "\nfor _ in range(3):\n    z = fc(x)\nhand = x @ fc.weight.T")
    assert ran.status == "error"
    assert "hand lacks the bias" in " ".join(bundle(ran)["text/plain"].replace("`", "").split())


def test_a_later_twin_cell_does_not_tell_a_near_miss_of_an_earlier_one(kernel: Kernel) -> None:
    first = bundle(kernel.run("%%twin\n" + SQUARE + "\nhand = x @ fc.weight + fc.bias"))["text/plain"]
    assert "hand " in first
    later = bundle(kernel.run("%%twin\ny.sum().backward()"))["text/plain"]
    assert "weight gradient" in later
    assert "hand " not in later
    assert "hand " in bundle(kernel.run("%twin report"))["text/plain"]


def test_a_cell_that_raised_fails_by_that(kernel: Kernel) -> None:
    ran = kernel.run("%%twin --assert\n" + SQUARE + "\nhand = x @ fc.weight + fc.bias\n1 / 0")
    assert [o["ename"] for o in ran.outputs if o["type"] == "error"] == ["ZeroDivisionError"]


def bundle(ran: Ran) -> dict[str, Any]:
    (data,) = [o["data"] for o in ran.outputs if MIME_TYPE in o.get("data", {})]
    return dict(data)


def test_a_twin_cell_displays_its_last_value_and_then_the_report(kernel: Kernel) -> None:
    ran = kernel.run("%%twin\n" + LAYER + "fc(x)\n6 * 7")
    assert [o["type"] for o in ran.outputs] == ["execute_result", "display_data"]
    assert ran.outputs[0]["data"]["text/plain"] == "42"
    assert set(bundle(ran)) == {"text/plain", "text/html", MIME_TYPE}
    assert "x @ fc.weight.T + fc.bias" in " ".join(bundle(ran)["text/plain"].split())
    page = msgspec.convert(bundle(ran)[MIME_TYPE], Page)
    assert [call.site.line for call in events([page], Call)] == [5]


def test_a_semicolon_silences_the_last_value(kernel: Kernel) -> None:
    assert [o["type"] for o in kernel.run("%%twin\n" + LAYER + "fc(x);").outputs] == ["display_data"]


def test_a_twin_cell_may_await(kernel: Kernel) -> None:
    ran = kernel.run("%%twin\nimport asyncio\n" + LAYER + "await asyncio.sleep(0)\nfc(x)\nawait asyncio.sleep(0, 42)")
    assert [o["type"] for o in ran.outputs] == ["execute_result", "display_data"]
    assert ran.outputs[0]["data"]["text/plain"] == "42"
    assert "1 call: 1 agrees" in bundle(ran)["text/plain"]
    assert kernel.value("__import__('torchtwin').records()[-1]['site']['source']") == "fc(x)"


@pytest.mark.parametrize(
    ("interactivity", "shown"),
    [("all", ["1", "2", "3"]), ("last", ["3"]), ("last_expr_or_assign", ["3"]), ("none", []), ("last_expr", ["3"])],
)
def test_a_twin_cell_displays_what_the_shell_is_set_to(kernel: Kernel, interactivity: str, shown: list[str]) -> None:
    kernel.run(f"get_ipython().ast_node_interactivity = {interactivity!r}")
    ran = kernel.run("%%twin\n1\n2\n3")
    assert [o["data"]["text/plain"] for o in ran.outputs if o["type"] == "execute_result"] == shown


@pytest.mark.parametrize("head", ["%%time\n%%twin\n", "%%twin\n%%time\n", "%%twin\n\n%%time\n", "%%twin\n\n    "])
def test_a_twin_cell_goes_with_other_magics_blank_lines_and_indents(kernel: Kernel, head: str) -> None:
    kernel.run(LAYER)
    ran = kernel.run(head + "y = fc(x)\n")
    assert ran.status == "ok"
    assert "1 call: 1 agrees" in bundle(ran)["text/plain"]


def test_a_twin_cell_called_by_code_runs_and_fails_like_one(kernel: Kernel) -> None:
    """As `jupyter nbconvert --to script` writes it."""
    kernel.run(LAYER)
    ran = kernel.run("get_ipython().run_cell_magic('twin', '', 'y = fc(x)\\n1 / 0\\n')\nafter = 1")
    assert ran.status == "error"
    assert {o["ename"] for o in ran.outputs if o["type"] == "error"} == {"ZeroDivisionError"}
    assert "1 call: 1 agrees" in bundle(ran)["text/plain"]
    assert kernel.value("'after' in globals()") is False


def test_an_empty_cell_within_a_twin_cell_does_not_end_it(kernel: Kernel) -> None:
    ran = kernel.run("%%twin\n" + LAYER + "get_ipython().run_cell('')\nfc(x);")
    assert "1 call: 1 agrees" in bundle(ran)["text/plain"]


def test_a_watch_that_the_cell_itself_switches_on_goes_on(kernel: Kernel) -> None:
    kernel.run("%twin off")
    kernel.run("%%twin\n%twin on\n" + LAYER)
    kernel.run("fc(x)")
    assert kernel.value("len(__import__('torchtwin').records())") == 1


def test_a_captured_cell_within_a_twin_cell_does_not_end_it(kernel: Kernel) -> None:
    inner = "get_ipython().run_cell('fc(x);')"
    ran = kernel.run("%%twin\n" + LAYER + inner + "\nfc(x);")
    assert "2 calls: 2 agree" in bundle(ran)["text/plain"]


def test_an_argument_of_a_twin_cell_is_told_to_be_unused(kernel: Kernel) -> None:
    ran = kernel.run("%%twin fc\nx = 1")
    assert (ran.status, ran.text) == ("ok", "%%twin takes --assert or nothing; 'fc' was not used.\n")


def test_a_twin_cell_without_a_body_gets_the_shells_own_words(kernel: Kernel) -> None:
    ran = kernel.run("%%twin\n")
    assert "cell body is empty" in ran.text
    assert {o["type"] for o in ran.outputs} == {"stream"}


def test_a_twin_cell_waits_for_an_empty_line_in_a_terminal(kernel: Kernel) -> None:
    assert kernel.value(r"get_ipython().check_complete('%%twin\nx = 1')[0]") == "incomplete"
    assert kernel.value(r"get_ipython().check_complete('%%twin\nx = 1\n\n')[0]") == "complete"


def test_a_twin_cell_that_is_no_python_is_an_error_at_its_line(kernel: Kernel) -> None:
    ran = kernel.run("%%twin\nx = 1\nx = = 2")
    (error,) = ran.outputs
    assert error["ename"] == "SyntaxError"
    assert "line 3" in re.sub(r"\x1b\[[0-9;]*m", "", "".join(error["traceback"]))


def test_a_twin_cell_reports_the_gradients_of_earlier_calls(kernel: Kernel) -> None:
    kernel.run(LAYER + "y = fc(x)")
    assert "weight gradient" in bundle(kernel.run("%%twin\ny.sum().backward()"))["text/plain"]


def test_twin_report_displays_all_calls(kernel: Kernel) -> None:
    kernel.run(LAYER + "fc(x)")
    kernel.run("fc(x)")
    ran = kernel.run("%twin report")
    assert "2 calls: 2 agree" in bundle(ran)["text/plain"]


def test_an_error_in_a_twin_cell_propagates_and_is_reported(kernel: Kernel) -> None:
    ran = kernel.run("%%twin\n" + LAYER + "fc(torch.ones(1, 5))")
    assert ran.status == "error"
    (error,) = [o for o in ran.outputs if o["type"] == "error"]
    assert error["ename"] == "RuntimeError"
    trace = re.sub(r"\x1b\[[0-9;]*m", "", "".join(error["traceback"]))
    assert "torchtwin/kernel" not in trace
    assert "line 5" in trace
    assert "takes 2" in bundle(ran)["text/plain"]


def test_a_twin_cell_keeps_the_names_and_values_of_the_notebook(kernel: Kernel) -> None:
    kernel.run("%%twin\nanswer = 6 * 7")
    assert kernel.value("answer") == 42
    kernel.run("%%twin\nanswer + 1")
    assert kernel.value("_") == 43


def test_a_twin_cell_within_an_unwatched_notebook_watches_only_itself(kernel: Kernel) -> None:
    kernel.run("%twin off")
    kernel.run("%%twin\n" + LAYER + "fc(x)")
    kernel.run("fc(x)")
    assert kernel.value("len(__import__('torchtwin').records())") == 1


def test_loading_before_torch_does_not_import_it() -> None:
    manager, client = start_new_kernel(kernel_name="python3")
    fresh = Kernel(manager, client)
    try:
        fresh.load()
        assert fresh.value("'torch' in __import__('sys').modules") is False
        fresh.run(LAYER + "fc(x)")
        assert fresh.value("len(__import__('torchtwin').records())") == 1
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def told(pages: list[Page]) -> list[int]:
    """The ids of all calls in the order in which they arrived first, whole or in a run."""
    seen: dict[int, None] = {}
    for event in (it.event for page in pages for it in page.envelopes):
        if isinstance(event, Call):
            seen[event.id] = None
        elif isinstance(event, Run):
            seen.update(dict.fromkeys(range(event.first, event.first + len(event.like))))
    return list(seen)


def test_a_hundred_thousand_calls_of_one_cell_arrive_complete_and_in_order(kernel: Kernel) -> None:
    kernel.run(LAYER)
    kernel.pages.clear()
    code = "for i in range(100_000):\n    y = fc(x)\n    if i % 1000 == 0: print(i)"
    printed = kernel.run(code).text.split()
    assert printed == [str(i) for i in range(0, 100_000, 1000)]
    kernel.wait_for(lambda pages: len(told(pages)) == 100_000)
    ids = told(kernel.pages)
    assert ids == list(range(ids[0], ids[0] + 100_000))
    kernel.wait_for(lambda pages: any(it.calls == 100_000 for it in events(pages, State)))
    state = events(kernel.pages, State)[-1]
    assert (state.dropped, state.internal_errors, state.mode) == (0, None, "auto")
    whole = {it.id for it in events(kernel.pages, Call)}
    assert all(like in whole for run in events(kernel.pages, Run) for like in run.like)
    assert all(one.upto == two.after for one, two in zip(kernel.pages, kernel.pages[1:], strict=False))


def test_a_panel_that_comes_late_gets_each_of_many_calls_once(kernel: Kernel) -> None:
    kernel.run(LAYER + "for _ in range(20_000): y = fc(x)")
    after, ids = 0, []
    while True:
        page = kernel.ask({"type": "replay", "after": after, "limit": 50}).page
        ids += told([page])
        after = page.upto
        if page.upto == page.latest:
            break
    assert sorted(ids) == list(range(min(ids), min(ids) + 20_000))


def test_mode_and_budget_are_set_from_a_panel_in_a_running_kernel(kernel: Kernel) -> None:
    kernel.ask({"type": "mode", "mode": "shapes", "budget": 0.5})
    try:
        assert "mode shapes" in kernel.run("%twin").text
        kernel.run(LAYER + "y = fc(x)")
        kernel.wait_for(lambda pages: events(pages, Call))
        assert events(kernel.pages, Call)[-1].forward.reason == "in mode `shapes` calls are recorded only"
    finally:
        kernel.run("%twin mode auto 3%")


def test_no_thread_of_ours_is_left_when_the_extension_is_unloaded(kernel: Kernel) -> None:
    ours = "[t.name for t in __import__('threading').enumerate() if t.name.startswith('torchtwin')]"
    kernel.run(LAYER + "y = fc(x)")
    assert "torchtwin-pulse" in kernel.value(ours)
    kernel.run("%unload_ext torchtwin")
    joined = "for t in threading.enumerate(): t.name.startswith('torchtwin') and t.join(10)"
    kernel.run("import threading\n" + joined)
    left = kernel.value(ours)
    kernel.load()
    assert left == []
