"""A real server hears real kernels: from the start, through restarts, to the end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from tests.python.server.conftest import call, page
from tornado.httpclient import HTTPClientError

from torchtwin.server import listening

EXERCISE = """
%load_ext torchtwin
import torch
fc = torch.nn.Linear(3, 2)
x = torch.ones(1, 3)
fc_out = fc(x)
"""
PUBLISH = """
import json
from torchtwin.protocol import COMM_ID, TOPIC
def publish(data, comm_id=COMM_ID):
    content = {"comm_id": comm_id, "data": data}
    kernel = get_ipython().kernel
    kernel.session.send(kernel.iopub_socket, "comm_msg", content, parent=None, ident=TOPIC)
"""
PAGE = f"publish(json.loads({msgspec.json.encode(page(call(1))).decode()!r}))"
"""A page without torch, which takes seconds to import."""
FLOOD = """
for n in range(3000):
    publish({"protocol": 1, "session": "s1", "after": n, "upto": n + 1, "latest": n + 1, "envelopes": []})
"""


class Kernels:
    """Those of the server under test."""

    def __init__(self, jp_fetch: Any, server: Any) -> None:
        self.fetch = jp_fetch
        self.manager = server.kernel_manager

    async def start(self) -> str:
        body = json.dumps({"name": "python3"})
        return str(json.loads((await self.fetch("api", "kernels", method="POST", body=body)).body)["id"])

    async def run(self, kernel: str, code: str) -> None:
        client = self.manager.get_kernel(kernel).client()
        client.start_channels()
        try:
            await client.wait_for_ready(timeout=60)
            reply = await client.execute_interactive(code, timeout=120, output_hook=lambda message: None)
            assert reply["content"]["status"] == "ok", reply
        finally:
            client.stop_channels()

    async def restart(self, kernel: str) -> None:
        await self.fetch("api", "kernels", kernel, "restart", method="POST", body="", request_timeout=60)

    async def records(self, kernel: str, **query: str) -> dict[str, Any]:
        answer = await self.fetch("torchtwin", "api", "kernels", kernel, "records", params=query)
        return dict(json.loads(answer.body))

    async def calls(self, kernel: str) -> list[dict[str, Any]]:
        try:
            found = await self.records(kernel)
        except HTTPClientError:  # there are none yet
            return []
        return [it["event"] for it in found["envelopes"] if it["event"]["type"] == "call"]


@pytest.fixture
def kernels(jp_fetch: Any, jp_serverapp: Any, app: Any, jp_asyncio_loop: Any) -> Any:
    yield Kernels(jp_fetch, jp_serverapp)
    jp_asyncio_loop.run_until_complete(jp_serverapp.kernel_manager.shutdown_all(now=True))


async def until(condition: Callable[[], Any], seconds: float = 30.0, missing: Any = ()) -> Any:
    """What `condition` gives as soon as it is true, and raises nothing of what `missing` names."""
    end = time.monotonic() + seconds
    while True:
        found = None
        with suppress(missing):
            found = condition()
            found = await found if asyncio.iscoroutine(found) else found
        if found or time.monotonic() > end:
            assert found
            return found
        await asyncio.sleep(0.05)


async def test_a_call_in_a_real_kernel_is_stored_with_its_verdict(kernels: Kernels) -> None:
    kernel = await kernels.start()
    await kernels.run(kernel, EXERCISE)
    (call,) = await until(lambda: kernels.calls(kernel))
    assert (call["expression"], call["forward"]["kind"]) == ("x @ fc.weight.T + fc.bias", "identical")


async def test_a_restarted_kernel_is_heard_on_and_its_calls_are_another_session(kernels: Kernels) -> None:
    kernel = await kernels.start()
    await kernels.run(kernel, EXERCISE)
    await until(lambda: kernels.calls(kernel))
    first = (await kernels.records(kernel))["session"]
    await kernels.restart(kernel)
    await kernels.run(kernel, EXERCISE + "fc(x)\n")
    await until(lambda: other_than(first, kernels, kernel))
    assert len([it for it in (await kernels.records(kernel, session=first))["envelopes"] if is_call(it)]) == 1
    assert len(await kernels.calls(kernel)) == 2


async def other_than(session: str, kernels: Kernels, kernel: str) -> bool:
    found = await kernels.records(kernel)
    return bool(found["session"] != session and len([it for it in found["envelopes"] if is_call(it)]) == 2)


def is_call(envelope: dict[str, Any]) -> bool:
    return bool(envelope["event"]["type"] == "call")


async def test_a_kernel_that_ran_before_the_server_part_started_is_heard(
    jp_fetch: Any, jp_serverapp: Any, jp_asyncio_loop: Any
) -> None:
    kernels = Kernels(jp_fetch, jp_serverapp)
    kernel = await kernels.start()
    try:
        await jp_serverapp.extension_manager.start_all_extensions()
        await kernels.run(kernel, PUBLISH + PAGE)
        assert await until(lambda: kernels.calls(kernel))
    finally:
        (app,) = jp_serverapp.extension_manager.extension_apps["torchtwin"]
        await app.stop_extension()
        await jp_serverapp.kernel_manager.shutdown_all(now=True)


async def test_a_kernel_that_ended_is_left_and_its_records_stay(kernels: Kernels, app: Any) -> None:
    kernel = await kernels.start()
    await kernels.run(kernel, PUBLISH + PAGE)
    await until(lambda: kernels.calls(kernel))
    assert kernel in app.listening
    await kernels.fetch("api", "kernels", kernel, method="DELETE")
    await until(lambda: kernel not in app.listening)
    assert len(await kernels.calls(kernel)) == 1


async def test_a_kernel_that_was_killed_is_heard_again_when_jupyter_has_started_it_anew(kernels: Kernels) -> None:
    kernel = await kernels.start()
    await kernels.run(kernel, PUBLISH + PAGE)
    await until(lambda: kernels.calls(kernel))
    process = kernels.manager.get_kernel(kernel).provisioner.pid
    os.kill(process, signal.SIGKILL)
    await until(lambda: kernels.manager.get_kernel(kernel).provisioner.pid not in (None, process))
    await kernels.run(kernel, PUBLISH + PAGE.replace('"s1"', '"s2"'))
    await until(lambda: kernels.records(kernel, session="s2"), missing=HTTPClientError)
    assert (await kernels.records(kernel, session="s1"))["upto"] == 1


async def test_what_else_a_kernel_publishes_never_reaches_the_server_part(kernels: Kernels, app: Any) -> None:
    heard: list[Any] = []
    kernel = await kernels.start()
    await until(lambda: kernel in app.listening)
    app.listening._ears[kernel]._take = heard.append
    await kernels.run(kernel, PUBLISH + PAGE + "\nprint('much' * 1000)")
    await until(lambda: heard)
    assert {frames.parts[0] for frames in heard} == {listening.TOPIC}


async def test_what_is_no_page_is_refused_and_counted_and_what_follows_is_taken(kernels: Kernels, app: Any) -> None:
    kernel = await kernels.start()
    await kernels.run(kernel, PUBLISH + "publish({'protocol': 1}); publish('?'); publish({}, comm_id='another')")
    await until(lambda: app.intake.refused == 2)
    await kernels.run(kernel, PUBLISH + PAGE)
    assert await until(lambda: kernels.calls(kernel))
    assert app.intake.refused == 2


async def test_a_message_that_is_not_signed_by_the_kernel_is_refused(kernels: Kernels, app: Any) -> None:
    kernel = await kernels.start()
    forged = "get_ipython().kernel.session.key = b'another'\n" + PAGE
    await until(lambda: kernel in app.listening)
    client = kernels.manager.get_kernel(kernel).client()
    client.start_channels()
    await client.wait_for_ready(timeout=60)
    client.execute(PUBLISH + forged)
    await until(lambda: app.intake.refused)
    client.stop_channels()
    assert await kernels.calls(kernel) == []


async def test_a_kernel_that_floods_is_not_taken_beyond_a_rate_and_others_are(kernels: Kernels, app: Any) -> None:
    flood, quiet = await kernels.start(), await kernels.start()
    await kernels.run(flood, PUBLISH + FLOOD)
    await kernels.run(quiet, PUBLISH + PAGE)
    assert await until(lambda: kernels.calls(quiet))
    await until(lambda: app.intake.refused)
    listed = json.loads((await kernels.fetch("torchtwin", "api", "kernels")).body)["kernels"]
    (session,) = next(it for it in listed if it["kernel"] == flood)["sessions"]
    assert session["upto"] < 3000 or session["gaps"] > 0


async def test_the_name_of_the_notebook_is_kept_with_its_records(kernels: Kernels, jp_fetch: Any) -> None:
    session = {"path": "a/b.ipynb", "name": "b", "type": "notebook", "kernel": {"name": "python3"}}
    made = json.loads((await jp_fetch("api", "sessions", method="POST", body=json.dumps(session))).body)
    kernel = made["kernel"]["id"]
    await kernels.run(kernel, PUBLISH + PAGE)
    await until(lambda: kernels.calls(kernel))
    await jp_fetch("api", "sessions", made["id"], method="DELETE")
    (row,) = json.loads((await jp_fetch("torchtwin", "api", "kernels")).body)["kernels"]
    assert (row["kernel"], row["path"], row["running"]) == (kernel, "a/b.ipynb", False)
