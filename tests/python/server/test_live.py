"""The WebSocket: what is stored, then what comes; nothing lost, nothing twice, at the pace of whoever reads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from tests.python.server.conftest import KERNEL, call, page, taken
from tornado.httpclient import HTTPClientError
from tornado.websocket import WebSocketClosedError

from torchtwin import protocol as p
from torchtwin.server import database, hub
from torchtwin.server.hub import Follower, Hub

Keep = Callable[..., None]


@pytest.fixture
def follow(jp_ws_fetch: Any, jp_asyncio_loop: Any) -> Any:
    """Opens the stream of a kernel."""
    opened: list[Any] = []

    async def connect(kernel: str = KERNEL, **query: str) -> Any:
        opened.append(await jp_ws_fetch("torchtwin", "api", "kernels", kernel, "live", params=query))
        return opened[-1]

    yield connect
    for socket in opened:
        socket.close()


async def read(socket: Any) -> p.Page:
    text = await asyncio.wait_for(socket.read_message(), 20)
    assert text is not None, socket.close_reason
    return msgspec.json.decode(text, type=p.Page)


def arrive(app: Any, page: p.Page) -> None:
    """As the intake delivers what a kernel published."""
    app._deliver(taken(page))


def test_first_comes_what_is_stored_then_what_arrives(app: Any, keep: Keep, follow: Any, jp_asyncio_loop: Any) -> None:
    keep(page(call(1), call(2)))

    async def scenario() -> None:
        socket = await follow()
        assert await read(socket) == page(call(1), call(2))
        arrive(app, page(call(3), after=2))
        assert await read(socket) == page(call(3), after=2)

    jp_asyncio_loop.run_until_complete(scenario())


def test_who_knows_a_part_gets_the_rest(keep: Keep, follow: Any, jp_asyncio_loop: Any) -> None:
    keep(page(call(1), call(2), call(3)))

    async def scenario() -> None:
        socket = await follow(session="s1", after="2")
        assert await read(socket) == page(call(3), after=2)

    jp_asyncio_loop.run_until_complete(scenario())


def test_who_knows_a_session_that_has_ended_gets_the_new_one_from_its_start(
    keep: Keep, follow: Any, jp_asyncio_loop: Any
) -> None:
    keep(page(call(1), call(2)), page(call(1), session="s2"))

    async def scenario() -> None:
        socket = await follow(session="s1", after="2")
        assert await read(socket) == page(call(1), session="s2")

    jp_asyncio_loop.run_until_complete(scenario())


def test_a_restart_is_followed(app: Any, keep: Keep, follow: Any, jp_asyncio_loop: Any) -> None:
    keep(page(call(1), call(2)))

    async def scenario() -> None:
        socket = await follow()
        await read(socket)
        arrive(app, page(call(1), session="s2"))
        assert await read(socket) == page(call(1), session="s2")

    jp_asyncio_loop.run_until_complete(scenario())


def test_what_arrives_while_the_stored_is_sent_is_neither_lost_nor_sent_twice(
    app: Any, keep: Keep, follow: Any, jp_asyncio_loop: Any
) -> None:
    keep(page(*[call(id) for id in range(1, 101)]))

    async def scenario() -> None:
        connecting = asyncio.ensure_future(follow())
        for id in range(101, 301):
            arrive(app, page(call(id), after=id - 1))
            await asyncio.sleep(0)
        socket = await connecting
        seen: list[int] = []
        while not seen or seen[-1] < 300:
            told = await read(socket)
            assert told.after == (seen[-1] if seen else 0)
            seen += [it.seq for it in told.envelopes]
        assert seen == list(range(1, 301))

    jp_asyncio_loop.run_until_complete(scenario())


def test_what_was_heard_before_somebody_follows_and_is_not_yet_stored_is_not_lost(
    app: Any, keep: Keep, follow: Any, jp_asyncio_loop: Any
) -> None:
    keep(page(call(1)))
    held = threading.Event()
    app.writer.submit(lambda db: held.wait(20))

    async def scenario() -> None:
        arrive(app, page(call(2), after=1))
        await asyncio.sleep(0.05)
        socket = await follow()
        asyncio.get_running_loop().call_later(0.2, held.set)
        assert await read(socket) == page(call(1), call(2))

    jp_asyncio_loop.run_until_complete(scenario())


def test_a_follower_that_reads_slowly_gets_everything_and_holds_up_nobody(
    app: Any, keep: Keep, follow: Any, jp_asyncio_loop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than the buffers of both ends hold: the server must leave pages out and fetch them from the store."""
    monkeypatch.setattr(hub, "WAITING_BYTES", 1_000_000)
    keep(page(call(1)))
    large = "x" * 200_000

    async def scenario() -> None:
        slow = await follow()
        (follower,) = await until_followed(app)
        for id in range(2, 152):
            arrive(app, page(call(id, name=large), after=id - 1))
            await asyncio.sleep(0.005)
            assert follower._bytes <= 1_300_000
        seen: list[int] = []
        while not seen or seen[-1] < 151:
            told = await read(slow)
            assert told.after <= (seen[-1] if seen else 0)
            seen += [it.seq for it in told.envelopes if not seen or it.seq > seen[-1]]
        assert seen == list(range(1, 152))

    jp_asyncio_loop.run_until_complete(scenario())


async def until_followed(app: Any) -> list[Follower]:
    while not len(app.hub):
        await asyncio.sleep(0.01)
    return list(app.hub._followers[KERNEL])


def test_a_gap_in_what_was_heard_is_seen_by_who_follows(
    app: Any, keep: Keep, follow: Any, jp_asyncio_loop: Any
) -> None:
    keep(page(call(1)), page(call(9), after=8))

    async def scenario() -> None:
        socket = await follow()
        first, second = await read(socket), await read(socket)
        assert (first.after, first.upto, second.after, second.upto) == (0, 1, 8, 9)

    jp_asyncio_loop.run_until_complete(scenario())


def test_while_the_store_is_locked_pages_are_live_all_the_same(
    app: Any, keep: Keep, follow: Any, jp_asyncio_loop: Any
) -> None:
    keep(page(call(1)))
    other = database.connect(app.writer.path)
    other.execute("BEGIN IMMEDIATE")

    async def scenario() -> None:
        socket = await follow()
        await read(socket)
        arrive(app, page(call(2), after=1))
        assert await read(socket) == page(call(2), after=1)

    try:
        jp_asyncio_loop.run_until_complete(scenario())
    finally:
        other.execute("ROLLBACK")
        other.close()


def test_without_storing_pages_are_live_all_the_same(
    app: Any, keep: Keep, follow: Any, jp_asyncio_loop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(page(call(1)))
    monkeypatch.setattr(app, "keep_records", False)

    async def scenario() -> None:
        socket = await follow()
        await read(socket)
        arrive(app, page(call(2), after=1))
        assert await read(socket) == page(call(2), after=1)
        await app.writer.caught_up()
        assert (await read(await follow())).upto == 1

    jp_asyncio_loop.run_until_complete(scenario())


def test_who_has_gone_is_followed_no_more(app: Any, keep: Keep, follow: Any, jp_asyncio_loop: Any) -> None:
    keep(page(call(1)))

    async def scenario() -> None:
        socket = await follow()
        await read(socket)
        assert len(app.hub) == 1
        socket.close()
        while len(app.hub):
            await asyncio.sleep(0.01)
        assert not app.hub._followers

    jp_asyncio_loop.run_until_complete(scenario())


@pytest.mark.parametrize("message", ["hello", "{", b"\x00\xff", "x" * 20_000_000], ids=["text", "{", "bytes", "large"])
def test_who_says_something_is_hung_up_on(message: str | bytes, keep: Keep, follow: Any, jp_asyncio_loop: Any) -> None:
    keep(page(call(1)))

    async def scenario() -> None:
        socket = await follow()
        await read(socket)
        with suppress(WebSocketClosedError):  # before all of it is said
            await socket.write_message(message, binary=isinstance(message, bytes))
        assert await asyncio.wait_for(socket.read_message(), 20) is None
        assert socket.close_code in (1003, 1009, None)

    jp_asyncio_loop.run_until_complete(scenario())


def test_there_is_a_most_of_followers(
    keep: Keep, follow: Any, jp_asyncio_loop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torchtwin.server.live.MOST", 1)
    keep(page(call(1)))

    async def scenario() -> None:
        await read(await follow())
        with pytest.raises(HTTPClientError) as error:
            await follow()
        assert error.value.code == 429

    jp_asyncio_loop.run_until_complete(scenario())


async def test_a_hub_passes_pages_to_those_who_follow_that_kernel() -> None:
    made = Hub()
    mine, other = made.follow(KERNEL), made.follow("other")
    made.publish(taken(page(call(1))))
    assert await mine.next() == taken(page(call(1)))
    assert not other._waiting
    made.leave("other", other)
    made.leave(KERNEL, mine)
    made.publish(taken(page(call(2))))
    assert not mine._waiting


async def test_a_follower_that_is_too_far_behind_is_told_once_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = [taken(page(call(id), after=id - 1)) for id in range(1, 11)]
    monkeypatch.setattr(hub, "WAITING_BYTES", 3.5 * len(pages[0].text))
    follower = Follower()
    for each in pages[:9]:
        follower.put(each)
    assert await follower.next() is None
    follower.put(pages[9])
    assert [await follower.next(), await follower.next()] == pages[8:]
