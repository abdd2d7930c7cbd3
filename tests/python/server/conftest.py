from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import msgspec
import pytest

from torchtwin import protocol as p
from torchtwin.protocol import COMM_ID, PROTOCOL
from torchtwin.server.heard import Heard, heard

# A test is never timed, and fails tomorrow as it does today.
hypothesis.settings.register_profile("torchtwin", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("torchtwin")

KERNEL = "0b6f8a52-7d0c-4e53-9a57-6a1df0a6c0de"
IDENTICAL = p.Verdict(kind="identical", message="identical")


@pytest.fixture
def jp_server_config(jp_server_config: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    return {
        "ServerApp": {
            "jpserver_extensions": {"torchtwin": True},
            "allow_unauthenticated_access": False,
        },
        "TorchtwinApp": {"database": str(tmp_path / "records" / "records.sqlite")},
    }


@pytest.fixture
def app(jp_serverapp: Any, jp_asyncio_loop: Any) -> Any:
    """The extension, started as the server starts it: the plugin of pytest leaves that out."""
    (app,) = jp_serverapp.extension_manager.extension_apps["torchtwin"]
    jp_asyncio_loop.run_until_complete(jp_serverapp.extension_manager.start_all_extensions())
    yield app
    jp_asyncio_loop.run_until_complete(app.stop_extension())


@pytest.fixture
def keep(app: Any, jp_asyncio_loop: Any) -> Callable[..., None]:
    """Stores pages as if they had been heard."""

    def put(*pages: p.Page, kernel: str = KERNEL) -> None:
        for page in pages:
            app.writer.put(taken(page, kernel))
        assert jp_asyncio_loop.run_until_complete(app.writer.caught_up(20))

    return put


def operand(name: str, *shape: int) -> p.Operand:
    return p.Operand(name=name, shape=list(shape), dtype="float32", device="cpu", requires_grad=False)


def call(id: int, verdict: p.Verdict = IDENTICAL, **changed: Any) -> p.Call:
    operands = p.Operands(operand("x", 2, 4), operand("w", 3, 4), operand("w.T", 4, 3), None, operand("y", 2, 3))
    whole = p.Call(
        id=id,
        name="fc",
        expression="x @ w.T",
        site=p.Site(cell_id="a", execution_count=3, line=7, source="y = fc(x)"),
        operands=operands,
        forward=verdict,
        gradients=p.Gradients(),
        gradient_formulas=p.GradientFormulas("g.T @ x", None, "g @ w"),
        gradient_names=p.GradientNames("w.grad", None, "x.grad"),
        error=None,
        values=p.Values(),
        time=5.0,
    )
    return msgspec.structs.replace(whole, **changed)


def run(first: int, *like: int) -> p.Run:
    return p.Run(first, list(like), [[5, 4]], [0] * len(like), 6.0, 1.0, "over the budget")


def state(calls: int = 0) -> p.State:
    return p.State(True, "2.13.0", "0.1.0", calls, 0, None)


def page(*events: p.Event, after: int = 0, session: str = "s1", upto: int | None = None) -> p.Page:
    """With the events one after the other, up to the last of them if `upto` does not say otherwise."""
    end = after + len(events) if upto is None else upto
    first = end - len(events) + 1
    envelopes = [p.Envelope(PROTOCOL, session, first + at, event) for at, event in enumerate(events)]
    return p.Page(PROTOCOL, session, after, end, end, envelopes)


def content(page: p.Page | dict[str, Any]) -> bytes:
    return msgspec.json.encode({"comm_id": COMM_ID, "data": page})


def taken(page: p.Page, kernel: str = KERNEL) -> Heard:
    """A page as it was heard."""
    found = heard(kernel, content(page))
    assert found is not None
    return found
