"""The committed schema is the one that the types give, and an independent validator agrees with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import msgspec
import pytest

from torchtwin import protocol as p
from torchtwin.protocol import generate

COMMITTED = Path(__file__).resolve().parents[3] / "src" / "protocol" / "schema.json"


def validator(definition: str) -> jsonschema.Draft202012Validator:
    schema = {**json.loads(COMMITTED.read_text(encoding="utf-8")), "$ref": f"#/$defs/{definition}"}
    return jsonschema.Draft202012Validator(schema)


def test_the_committed_schema_is_the_generated_one() -> None:
    remedy = "run: python -m torchtwin.protocol.generate > src/protocol/schema.json"
    assert COMMITTED.read_text(encoding="utf-8") == generate.text(), remedy


def test_the_schema_is_valid() -> None:
    jsonschema.Draft202012Validator.check_schema(generate.schema())


def test_every_message_is_valid_by_the_schema(message: Any) -> None:
    validator(type(message).__name__).validate(msgspec.to_builtins(message))


@pytest.mark.parametrize("tag", ["cal", None])
def test_the_schema_refuses_an_unknown_event(call: p.Call, tag: str | None) -> None:
    plain = msgspec.to_builtins(call)
    assert validator("Call").is_valid(plain)
    assert not validator("Call").is_valid({**plain, "type": tag})


def test_the_schema_holds_the_constants_that_typescript_reads() -> None:
    assert generate.schema()["$constants"] == {
        "PROTOCOL": p.PROTOCOL,
        "COMM_ID": "torchtwin-records",
        "QUERY_TARGET": "torchtwin.query",
        "MIME_TYPE": "application/vnd.torchtwin.v1+json",
        "PAUSED_ASK": p.PAUSED_ASK,
    }


def test_the_schema_ends_with_one_newline() -> None:
    assert generate.text().endswith("}\n")
