"""What the routes answer, of records that are stored."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from tests.python.server.conftest import KERNEL, call, page, run, state
from tornado.httpclient import HTTPClientError

from torchtwin import protocol as p

OTHER = "7a1d1c9e-1111-4222-8333-444455556666"
DIFFERENT = p.Verdict(kind="different", message="differs")
Keep = Callable[..., None]


@pytest.fixture
def ask(jp_fetch: Any, app: Any) -> Any:
    """The answer, as JSON."""

    async def get(*path: str, **query: Any) -> Any:
        answer = await jp_fetch("torchtwin", "api", *path, params={key: str(it) for key, it in query.items()})
        return json.loads(answer.body)

    return get


@pytest.fixture
def refused(jp_fetch: Any, app: Any) -> Any:
    """Status and message of a refusal."""

    async def get(*path: str, method: str = "GET", **query: Any) -> Any:
        with pytest.raises(HTTPClientError) as error:
            await jp_fetch("torchtwin", "api", *path, params={k: str(it) for k, it in query.items()}, method=method)
        assert error.value.response is not None
        return error.value.code, json.loads(error.value.response.body)["message"]

    return get


async def test_without_records_there_are_no_kernels_and_the_store_is_well(ask: Any, app: Any) -> None:
    answer = await ask("kernels")
    assert (answer["kernels"], answer["left_out"]) == ([], 0)
    storage = answer["storage"]
    assert (storage["file"], storage["problem"], storage["lost"]) == (str(app.writer.path), None, 0)


def test_a_kernel_is_listed_with_its_sessions_newest_first(ask: Any, keep: Keep, jp_asyncio_loop: Any) -> None:
    keep(page(call(1), run(2, 1, 1)), page(call(1), after=3, session="s2"), page(), kernel=OTHER)
    keep(page(call(1)))
    mine, other = jp_asyncio_loop.run_until_complete(ask("kernels"))["kernels"]
    assert (mine["kernel"], mine["running"], mine["listening"]) == (KERNEL, False, False)
    assert [(it["session"], it["calls"], it["upto"], it["gaps"]) for it in other["sessions"]] == [
        ("s1", 3, 2, 0),
        ("s2", 1, 4, 1),
    ]


def test_records_are_the_page_that_the_kernel_told(ask: Any, keep: Keep, jp_asyncio_loop: Any) -> None:
    told = page(state(), call(1), run(2, 1))
    keep(told)
    assert jp_asyncio_loop.run_until_complete(ask("kernels", KERNEL, "records")) == msgspec.to_builtins(told)


def test_records_after_a_number_and_to_a_limit(ask: Any, keep: Keep, jp_asyncio_loop: Any) -> None:
    keep(page(*[call(id) for id in range(1, 8)]))
    answer = jp_asyncio_loop.run_until_complete(ask("kernels", KERNEL, "records", after=2, limit=3))
    assert [it["seq"] for it in answer["envelopes"]] == [3, 4, 5]
    assert (answer["after"], answer["upto"], answer["latest"]) == (2, 5, 7)


def test_records_of_an_older_session(ask: Any, keep: Keep, jp_asyncio_loop: Any) -> None:
    keep(page(call(1)), page(call(1), session="s2"))
    answer = jp_asyncio_loop.run_until_complete(ask("kernels", KERNEL, "records", session="s1"))
    assert answer["session"] == "s1"


def test_one_record_is_the_newest_event_of_the_call(ask: Any, keep: Keep, jp_asyncio_loop: Any) -> None:
    keep(page(call(1), call(1, DIFFERENT)))
    answer = jp_asyncio_loop.run_until_complete(ask("kernels", KERNEL, "records", "1"))
    assert answer == msgspec.to_builtins(p.Envelope(p.PROTOCOL, "s1", 2, call(1, DIFFERENT)))


def test_one_record_that_was_told_in_short_is_told_whole(ask: Any, keep: Keep, jp_asyncio_loop: Any) -> None:
    keep(page(call(1), run(2, 1, 1)))
    answer = jp_asyncio_loop.run_until_complete(ask("kernels", KERNEL, "records", "3"))
    assert answer["seq"] == 2
    assert answer["event"] == msgspec.to_builtins(p.told_whole(run(2, 1, 1), 3, call(1)))


def test_a_call_that_there_is_not_is_unknown(refused: Any, keep: Keep, jp_asyncio_loop: Any) -> None:
    keep(page(call(1), run(2, 1, 1), run(6, 9)))
    for id in ("4", "7", "0", "6", str(2**53)):
        status, message = jp_asyncio_loop.run_until_complete(refused("kernels", KERNEL, "records", id))
        assert (status, message) == (404, f"no record of call {id}")


def test_the_summary_counts_by_verdict_and_layer_with_the_worst_first(
    ask: Any, keep: Keep, jp_asyncio_loop: Any
) -> None:
    failed = p.Failure("RuntimeError", "shapes", "they clash", [], [])
    keep(page(state(7), call(1), call(2, name="out"), call(3, DIFFERENT, name="out"), call(4, error=failed, name="in")))
    keep(page(run(5, 1, 2, 2), run(8, 99), after=5))
    answer = jp_asyncio_loop.run_until_complete(ask("kernels", KERNEL, "summary"))
    assert answer["verdicts"] == {"failed": 1, "different": 1, "rounding": 0, "identical": 2, "unchecked": 4}
    assert answer["calls"] == 8
    assert [(it["name"], it["calls"], it["worst"]) for it in answer["layers"]] == [
        ("in", 1, "failed"),
        ("out", 4, "different"),
        ("fc", 2, "identical"),
        ("?", 1, "unchecked"),
    ]
    assert answer["state"]["torch"] == "2.13.0"


def test_deleted_records_are_gone(ask: Any, refused: Any, keep: Keep, jp_fetch: Any, jp_asyncio_loop: Any) -> None:
    keep(page(call(1)), page(call(1), session="s2"))

    async def delete(**query: str) -> int:
        answer = await jp_fetch("torchtwin", "api", "kernels", KERNEL, method="DELETE", params=query)
        return int(answer.code)

    run = jp_asyncio_loop.run_until_complete
    assert run(delete(session="s2")) == 204
    assert run(ask("kernels", KERNEL, "records"))["session"] == "s1"
    assert run(delete()) == 204
    assert run(refused("kernels", KERNEL, "records"))[0] == 404
    assert run(refused("kernels", KERNEL, method="DELETE"))[0] == 404


@pytest.mark.parametrize(
    "path", [("records",), ("records", "1"), ("summary",), ("export",), ("live",)], ids=lambda path: "/".join(path)
)
def test_of_an_unknown_kernel_or_session_there_is_nothing(
    path: tuple[str, ...], refused: Any, keep: Keep, jp_asyncio_loop: Any
) -> None:
    keep(page(call(1)))
    assert jp_asyncio_loop.run_until_complete(refused("kernels", OTHER, *path)) == (
        404,
        f"no records of kernel {OTHER}",
    )
    if path != ("live",):
        status, message = jp_asyncio_loop.run_until_complete(refused("kernels", KERNEL, *path, session="s9"))
        assert (status, message) == (404, f"no records of kernel {KERNEL} in session s9")


@pytest.mark.parametrize(
    ("path", "query", "said"),
    [
        ("records", {"after": "-1"}, "Expected `int` >= 0"),
        ("records", {"after": "many"}, "Expected `int`, got `str`"),
        ("records", {"limit": "0"}, "Expected `int` >= 1"),
        ("records", {"limit": "2001"}, "Expected `int` <= 2000"),
        ("records", {"after": str(2**80)}, "Expected `int`"),
        ("summary", {"session": "a/b"}, "matching regex"),
        ("export", {"format": "exe"}, "Invalid enum value 'exe'"),
    ],
)
async def test_a_query_that_is_not_as_described_is_refused_with_the_reason(
    path: str, query: dict[str, str], said: str, refused: Any
) -> None:
    status, message = await refused("kernels", KERNEL, path, **query)
    assert status == 400
    assert said in message


def test_what_a_query_has_besides_is_left_alone(ask: Any, keep: Keep, jp_asyncio_loop: Any) -> None:
    """JupyterLab adds the time to keep a browser from answering from its cache."""
    keep(page(call(1)))
    answer = jp_asyncio_loop.run_until_complete(ask("kernels", KERNEL, "records", **{"1700000000000": ""}))
    assert answer["upto"] == 1


def test_exported_lines_are_the_envelopes_however_many(
    keep: Keep, jp_fetch: Any, jp_asyncio_loop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torchtwin.server.reading.PAGE_BYTES", 5_000)
    told = page(state(), *[call(id) for id in range(1, 51)], run(51, 1, 2))
    keep(told, page(call(60), after=70))
    answer = jp_asyncio_loop.run_until_complete(jp_fetch("torchtwin", "api", "kernels", KERNEL, "export"))
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="torchtwin-s1.jsonl"'
    lines = [msgspec.json.decode(line, type=p.Envelope) for line in answer.body.splitlines()]
    assert lines[:-1] == told.envelopes
    assert lines[-1].seq == 71


def test_an_exported_page_is_a_file_to_keep(keep: Keep, jp_fetch: Any, jp_asyncio_loop: Any) -> None:
    keep(page(state(), call(1)))
    fetched = jp_fetch("torchtwin", "api", "kernels", KERNEL, "export", params={"format": "html"})
    answer = jp_asyncio_loop.run_until_complete(fetched)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="torchtwin-s1.html"'
    assert "x @ w.T" in answer.body.decode()


def test_a_store_that_can_not_be_read_is_told_and_the_server_goes_on(
    refused: Any, ask: Any, app: Any, keep: Keep, jp_asyncio_loop: Any
) -> None:
    keep(page(call(1)))
    run = jp_asyncio_loop.run_until_complete
    run(damage(app))
    status, message = run(refused("kernels", KERNEL, "records"))
    assert status == 503
    assert message.startswith("the records can't be read: ")
    assert run(app.writer.caught_up())
    keep(page(call(2)))
    (aside,) = run(ask("kernels"))["storage"]["moved_aside"]
    assert "corrupt" in aside
    assert run(ask("kernels", KERNEL, "records"))["upto"] == 1


async def damage(app: Any) -> None:
    import asyncio

    await asyncio.wrap_future(app.writer.submit(lambda db: db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()))
    app.writer.path.write_bytes(b"no database" * 1000)


async def test_answers_are_kept_by_no_cache(jp_fetch: Any, app: Any) -> None:
    answer = await jp_fetch("torchtwin", "api", "kernels")
    assert answer.headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


async def test_asking_does_not_keep_an_idle_server_alive(jp_fetch: Any, app: Any, jp_web_app: Any) -> None:
    await jp_fetch("torchtwin", "api", "kernels")
    assert "api_last_activity" not in jp_web_app.settings
    await jp_fetch("api", "kernels")
    assert "api_last_activity" in jp_web_app.settings


async def test_who_asks_too_often_is_told_to_wait(jp_fetch: Any, app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "rate", type(app.rate)(a_second=0.001, burst=2))
    for _ in range(2):
        await jp_fetch("torchtwin", "api", "kernels")
    with pytest.raises(HTTPClientError) as error:
        await jp_fetch("torchtwin", "api", "kernels")
    assert error.value.code == 429
    assert error.value.response is not None
    assert error.value.response.headers["Retry-After"] == "1"


def test_more_than_two_exports_at_a_time_are_refused(app: Any, keep: Keep, refused: Any, jp_asyncio_loop: Any) -> None:
    keep(page(call(1)))
    jp_asyncio_loop.run_until_complete(app.exports.acquire())
    jp_asyncio_loop.run_until_complete(app.exports.acquire())
    status, _ = jp_asyncio_loop.run_until_complete(refused("kernels", KERNEL, "export"))
    assert status == 429
