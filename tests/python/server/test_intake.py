"""Messages are verified by the kernel's key and read in a thread; what can't be taken is counted, the rest goes on."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from jupyter_client.session import Session
from tests.python.server.conftest import KERNEL, call, content, page, taken

from torchtwin.protocol import COMM_ID
from torchtwin.server.heard import Heard
from torchtwin.server.intake import Frames, Intake


class Delivered(list[Heard]):
    """What came out. The first page can be made to fail."""

    fails = False

    def take(self, page: Heard) -> None:
        if self.fails:
            self.fails = False
            raise KeyError("a fault of ours")
        self.append(page)


@pytest.fixture
def delivered() -> Delivered:
    return Delivered()


@pytest.fixture
def intake(delivered: Delivered) -> Iterator[Intake]:
    made = Intake(delivered.take, logging.getLogger("test"))
    yield made
    if made._thread.ident is not None:
        made.stop()


def sent(message: Any, kind: str = "comm_msg", **settings: Any) -> list[bytes]:
    """As a kernel sends it, with its key."""
    session = Session(**{"key": b"the kernel's", **settings})
    _, parts = session.feed_identities(session.serialize(session.msg(kind, message), b"topic"))
    return [b"topic", b"<IDS|MSG>", *parts]


def frames(parts: list[bytes], **settings: Any) -> Frames:
    return Frames(KERNEL, Session(**{"key": b"the kernel's", **settings}), parts)


def message(made: Any = None) -> Any:
    return msgspec.json.decode(content(made or page(call(1))))


def finished(intake: Intake) -> None:
    intake.start()
    intake.stop()


def test_a_page_with_the_kernels_signature_is_delivered(intake: Intake, delivered: Delivered) -> None:
    intake.put(frames(sent(message())))
    finished(intake)
    assert [(it.kernel, [row.id for row in it.rows]) for it in delivered] == [(KERNEL, [1])]
    assert intake.refused == 0


def test_one_with_another_signature_is_not(intake: Intake, delivered: Delivered) -> None:
    intake.put(frames(sent(message(), key=b"somebody's")))
    finished(intake)
    assert (delivered, intake.refused) == ([], 1)


@pytest.mark.parametrize("parts", [[], [b""], [b"topic", b"<IDS|MSG>"], [b"<IDS|MSG>", b"", b"{}", b"", b"", b""]])
def test_frames_that_are_no_message_are_refused(parts: list[bytes], intake: Intake, delivered: Delivered) -> None:
    intake.put(frames(parts))
    intake.put(frames(sent(message())))
    finished(intake)
    assert (len(delivered), intake.refused) == (1, 1)


def test_other_messages_on_our_topic_are_passed_over(intake: Intake, delivered: Delivered) -> None:
    intake.put(frames(sent({"text": "hello"}, "stream")))
    intake.put(frames(sent({"comm_id": "widget", "data": {}})))
    finished(intake)
    assert (delivered, intake.refused) == ([], 0)


def test_a_kernel_that_packs_its_messages_otherwise_is_understood(intake: Intake, delivered: Delivered) -> None:
    pickled = {"packer": "pickle", "unpacker": "pickle"}
    intake.put(frames(sent(message(), **pickled), **pickled))
    finished(intake)
    assert [it.rows for it in delivered] == [taken(page(call(1))).rows]


def test_what_comes_faster_than_it_is_read_is_counted(intake: Intake, delivered: Delivered) -> None:
    large = sent({"comm_id": COMM_ID, "data": {"text": "x" * 20_000_000}})
    for _ in range(5):
        intake.put(frames(large))
    assert intake.refused == 2


def test_a_fault_of_ours_in_one_page_loses_no_other(intake: Intake, delivered: Delivered) -> None:
    delivered.fails = True
    intake.put(frames(sent(message())))
    intake.put(frames(sent(message(page(call(2))))))
    finished(intake)
    assert [it.rows[0].id for it in delivered] == [2]


def test_events_that_this_version_does_not_know_are_counted(intake: Intake, delivered: Delivered) -> None:
    made = message()
    made["data"]["envelopes"][0]["event"] = {"type": "hologram"}
    intake.put(frames(sent(made)))
    finished(intake)
    assert (intake.unknown, len(delivered)) == (1, 1)
