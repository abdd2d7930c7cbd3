"""What the kernel sends: only where all of it was heard may a notebook pass."""

from __future__ import annotations

from queue import Empty
from typing import Any

import msgspec
import pytest

from torchtwin.checking import listening
from torchtwin.checking.listening import INCOMPLETE, Heard, Listener
from torchtwin.protocol import COMM_ID, PROTOCOL, Cleared, Envelope, Event, Page, State

OFF = State(watching=False, torch=None, torchtwin="1.0", calls=0, dropped=0, internal_errors=None)
ON = msgspec.structs.replace(OFF, watching=True)
LAST = "the last request"
DONE = {"msg_type": "status", "parent_header": {"msg_id": LAST}, "content": {"execution_state": "idle"}}


class Ears:
    """Hears these messages, and then nothing."""

    def __init__(self, messages: list[Any]) -> None:
        self._messages = list(messages)

    def get_iopub_msg(self, timeout: float) -> dict[str, Any]:
        if not self._messages:
            raise Empty
        message = self._messages.pop(0)
        if isinstance(message, Exception):
            raise message
        found: dict[str, Any] = message
        return found


def sent(data: object) -> dict[str, Any]:
    return {"msg_type": "comm_msg", "parent_header": {}, "content": {"comm_id": COMM_ID, "data": data}}


def page(after: int, upto: int, latest: int, event: Event = OFF, session: str = "s") -> dict[str, Any]:
    envelopes = [Envelope(PROTOCOL, session, upto, event)]
    return sent(msgspec.to_builtins(Page(PROTOCOL, session, after, upto, latest, envelopes)))


WHOLE = [page(0, 2, 2, ON), page(2, 5, 5)]
HEARD: dict[str, tuple[list[Any], str | None]] = {
    "all": ([*WHOLE, DONE], None),
    "all, though a record is told after the state": ([*WHOLE, page(5, 6, 6, Cleared(0)), DONE], None),
    "a page again": ([*WHOLE, page(0, 6, 6), DONE], None),
    "nothing": ([], INCOMPLETE),
    "nothing of ours": ([DONE], INCOMPLETE),
    "no state": ([page(0, 2, 2, Cleared(0)), DONE], INCOMPLETE),
    "a watch that goes on": ([page(0, 2, 2, ON), DONE], INCOMPLETE),
    "a page that is not the last": ([page(0, 2, 9), DONE], INCOMPLETE),
    "all but the end": (WHOLE, INCOMPLETE),
    "not the first page": ([page(1, 2, 2), DONE], INCOMPLETE),
    "not a page between": ([page(0, 2, 2, ON), page(3, 5, 5), DONE], INCOMPLETE),
    "two sessions": ([*WHOLE, page(0, 2, 2, session="other"), DONE], INCOMPLETE),
    "another protocol": (
        [sent({"protocol": 2}), *WHOLE, DONE],
        f"the kernel's torchtwin speaks protocol 2, and this one {PROTOCOL}",
    ),
    "no page": (
        [sent({"protocol": PROTOCOL}), *WHOLE, DONE],
        "what the kernel sends can't be heard: ValidationError: Object missing required field `session`",
    ),
    "nothing intelligible": (
        [sent(None), *WHOLE, DONE],
        "what the kernel sends can't be heard: AttributeError: 'NoneType' object has no attribute 'get'",
    ),
    "a connection that breaks": (
        [*WHOLE, OSError("broken"), DONE],
        "what the kernel sends can't be heard: OSError: broken",
    ),
}


@pytest.mark.parametrize(("messages", "missing"), HEARD.values(), ids=HEARD)
def test_only_where_all_was_heard_nothing_is_missing(
    messages: list[Any], missing: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "PATIENCE", 0.2)
    heard = Heard()
    listener = Listener(Ears(messages), heard)
    listener.begin()
    listener.end(LAST)
    assert heard.missing == missing
    assert listener.is_reached.is_set() is bool(messages)


def test_who_stops_early_has_not_heard_all() -> None:
    heard = Heard()
    listener = Listener(Ears(WHOLE), heard)
    listener.begin()
    listener.end(None)
    assert heard.missing == INCOMPLETE
