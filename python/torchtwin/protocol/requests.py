"""What a host may ask the kernel, and the answers: `{id, request}` one way, `{id, reply}` the other."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from torchtwin.protocol.events import Mode, Number, Page

COMM_ID = "torchtwin-records"
"""Fixed id of the comm that carries pages; no comm is ever opened under it."""
TOPIC = b"comm-" + COMM_ID.encode()
"""Which its messages have on iopub: who wants nothing else of a kernel subscribes to this."""
QUERY_TARGET = "torchtwin.query"
"""Target of the comm that a host opens to ask."""
MIME_TYPE = "application/vnd.torchtwin.v1+json"
"""A `Page` in a cell's output."""


class Replay(msgspec.Struct, frozen=True, gc=False, tag="replay"):
    """Asks for the page after `after`, with at most `limit` envelopes."""

    after: int
    limit: int = 2000


class SetWatch(msgspec.Struct, frozen=True, gc=False, tag="watch"):
    """Switches the watch on or off."""

    on: bool


class SetMode(msgspec.Struct, frozen=True, gc=False, tag="mode"):
    """Chooses which calls are checked."""

    mode: Mode
    budget: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = None
    """Share of the user's running time that mode `auto` may take; null leaves it as it is."""


class Clear(msgspec.Struct, frozen=True, gc=False, tag="clear"):
    """Drops all records."""


class ElementRequest(msgspec.Struct, frozen=True, gc=False, tag="element"):
    """Asks how one element came about, of a call whose values were too large to travel."""

    call: int
    of: Literal["output", "weight", "bias", "input"]
    """`output`, or the operand whose gradient is meant."""
    index: list[int]
    """Full index into that tensor's shape."""


Request = Replay | SetWatch | SetMode | Clear | ElementRequest


class Pages(msgspec.Struct, frozen=True, gc=False, tag="page"):
    page: Page


class Done(msgspec.Struct, frozen=True, gc=False, tag="done"):
    """The request was carried out; what changed comes as events."""


class ElementTerms(msgspec.Struct, frozen=True, gc=False, tag="element"):
    """One element as `sum(left[k] * right[k]) + bias`."""

    left: list[Number]
    right: list[Number]
    left_name: str
    """`x[0]`: where `left` was taken."""
    right_name: str
    bias: Number | None
    bias_name: str | None
    layer: Number | None
    """The layer's value of the element, null when that tensor is gone."""


class Refused(msgspec.Struct, frozen=True, gc=False, tag="refused"):
    """The request can't be answered: `gone` (the tensors no longer exist), `too_large` (the values were too large to
    travel with the call and are not kept), `unknown` (no such call), `invalid`, or `failed` (a fault of ours)."""

    code: Literal["gone", "too_large", "unknown", "invalid", "failed"]
    message: str
    """Why, for a person; code in backticks."""


Reply = Pages | Done | ElementTerms | Refused


class Asked(msgspec.Struct, frozen=True, gc=False):
    id: str
    request: Request


class Answered(msgspec.Struct, frozen=True, gc=False):
    id: str
    reply: Reply
