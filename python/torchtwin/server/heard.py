"""What a kernel published, checked: a page, and a row of the store for each of its events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from torchtwin.protocol import (
    COMM_ID,
    PROTOCOL,
    Call,
    Cleared,
    Comparison,
    Event,
    RawEnvelope,
    RawPage,
    Run,
    State,
    Tagged,
    Tensors,
)

LARGEST = 2**53
KINDS = frozenset({"call", "run", "cleared", "state", "tensors", "comparison"})
Worst = Literal["failed", "different", "rounding", "identical", "unchecked"]
WORST_FIRST: tuple[Worst, ...] = ("failed", "different", "rounding", "identical", "unchecked")
"""Unchecked parts beside checked ones say nothing about these."""


class Unfit(Exception):
    """Not a page that this server can take, with the reason."""


@dataclass(frozen=True, slots=True)
class Row:
    """The newest event of one entity, as it is stored."""

    kind: str
    id: int
    """Of a call; of a run's first call; 0 for what there is one of."""
    seq: int
    body: bytes
    calls: int = 0
    """How many calls it tells of."""
    name: str = ""
    verdict: str = ""
    """The worst of a call's."""
    like: dict[int, int] = field(default_factory=dict)
    """Of a run: the calls that its calls are like, and how many are like each."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A page of one kernel. `text` is the page as it came."""

    kernel: str
    session: str
    after: int
    upto: int
    latest: int
    text: str
    rows: list[Row]
    unknown: int = 0
    """Events of a kind that this version does not know. They are not stored."""


class CommContent(msgspec.Struct, frozen=True, gc=False):
    """Jupyter's content of a `comm_msg`."""

    comm_id: str
    data: msgspec.Raw


_content = msgspec.json.Decoder(CommContent)
_page = msgspec.json.Decoder(RawPage)
_event: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
_tagged = msgspec.json.Decoder(Tagged)


def heard(kernel: str, content: bytes) -> Heard | None:
    """The page in the content of a comm message. None where the comm is another's. Raises `Unfit`.

    The user's code can publish anything under our comm id, so nothing is believed unread.
    """
    try:
        message = _content.decode(content)
        if message.comm_id != COMM_ID:
            return None
        text = bytes(message.data).decode()
        page = _page.decode(text)
        return _checked(kernel, page, text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise Unfit(str(error)) from error


def _checked(kernel: str, page: RawPage, text: str) -> Heard:
    if page.protocol != PROTOCOL:
        raise Unfit(f"version {page.protocol} of the wire; this server reads {PROTOCOL}")
    if not page.after <= page.upto <= page.latest:
        raise Unfit("a page that ends before it begins")
    rows, unknown = [], 0
    for envelope in page.envelopes:
        if envelope.session != page.session or not page.after < envelope.seq <= page.upto:
            raise Unfit("an envelope that is not of its page")
        row = _row(envelope)
        if row is None:
            unknown += 1
        else:
            rows.append(row)
    return Heard(kernel, page.session, page.after, page.upto, page.latest, text, rows, unknown)


def _row(envelope: RawEnvelope) -> Row | None:
    """None for an event of a kind that this version does not know."""
    body = bytes(envelope.event)
    if _tagged.decode(body).type not in KINDS:
        return None
    match _event.decode(body):
        case Call() as call:
            return Row("call", _fits(call.id), envelope.seq, body, 1, call.name, worst(call))
        case Run() as run:
            return _run_row(run, envelope.seq, body)
        case Cleared(up_to):
            return Row("cleared", _fits(up_to), envelope.seq, body)
        case State():
            return Row("state", 0, envelope.seq, body)
        case Tensors():
            return Row("tensors", 0, envelope.seq, body)
        case Comparison():
            return Row("comparison", 0, envelope.seq, body)


def _run_row(run: Run, seq: int, body: bytes) -> Row:
    length = len(run.like)
    if not length or len(run.shape) != length or not all(0 <= at < len(run.shapes) for at in set(run.shape)):
        raise Unfit("a run whose calls have no shapes")
    like = Counter(run.like)
    _fits(run.first + length)
    return Row("run", _fits(run.first), seq, body, length, like={_fits(id): count for id, count in like.items()})


def _fits(number: int) -> int:
    if not 0 <= number <= LARGEST:
        raise Unfit(f"{number} is no id")
    return number


def worst(call: Call) -> Worst:
    """Of its verdicts, or `failed`."""
    kinds = set(_kinds(call))
    return next(kind for kind in WORST_FIRST if kind in kinds)


def _kinds(call: Call) -> Iterator[str]:
    if call.error is not None:
        yield "failed"
    yield call.forward.kind
    for verdict in (call.gradients.weight, call.gradients.bias, call.gradients.input):
        if verdict is not None:
            yield verdict.kind
