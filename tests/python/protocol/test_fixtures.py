"""The messages that both languages read: Python accepts the valid ones and refuses the others where they are wrong."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from torchtwin.protocol import Page, PausedAnswer, PausedRequest, Reply, Request

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
KINDS: dict[str, Any] = {"page": Page, "reply": Reply, "request": Request}
KINDS |= {"paused-request": PausedRequest, "paused-answer": PausedAnswer}
VALID = sorted(FIXTURES.glob("*.json"))
INVALID = sorted(FIXTURES.glob("invalid/*.json"))


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def decode(fixture: dict[str, Any]) -> Any:
    return msgspec.json.decode(json.dumps(fixture["value"]).encode(), type=KINDS[fixture["kind"]], strict=True)


def named(where: str) -> str:
    """A JSON pointer as msgspec writes a place: `/a/0/b` is `$.a[0].b`."""
    return "$" + "".join(f"[{step}]" if step.isdigit() else f".{step}" for step in where.split("/")[1:])


def blamed(error: msgspec.ValidationError) -> str:
    """The place in msgspec's message. It blames a wrong key word by its own place, and the top without a place."""
    found = re.search(r" - at `(.*)`$", str(error))
    return found.group(1) if found else "$"


def name(path: Path) -> str:
    return path.stem


@pytest.mark.parametrize("path", VALID, ids=name)
def test_a_valid_message_is_read_and_written_again_as_it_was(path: Path) -> None:
    fixture = read(path)
    assert json.loads(msgspec.json.encode(decode(fixture))) == fixture["value"]


@pytest.mark.parametrize("path", INVALID, ids=name)
def test_an_invalid_message_is_refused_for_its_reason_at_its_place(path: Path) -> None:
    fixture = read(path)
    with pytest.raises(msgspec.ValidationError) as refusal:
        decode(fixture)
    assert fixture["python"] in str(refusal.value)
    assert blamed(refusal.value) == named(fixture["where"])


def test_there_are_fixtures_of_every_kind_and_of_both_sorts() -> None:
    assert {read(path)["kind"] for path in VALID} == set(KINDS)
    assert {read(path)["kind"] for path in INVALID} <= set(KINDS)
    assert len(INVALID) >= 10


def test_this_test_can_fail() -> None:
    wrong_place = {**read(INVALID[0]), "where": "/elsewhere"}
    with pytest.raises(msgspec.ValidationError) as refusal:
        decode(wrong_place)
    assert blamed(refusal.value) != named(wrong_place["where"])
