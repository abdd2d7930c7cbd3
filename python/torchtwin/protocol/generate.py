"""Writes the JSON Schema of the wire: `python -m torchtwin.protocol.generate > src/protocol/schema.json`."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from torchtwin.protocol.events import PROTOCOL, Event, Page
from torchtwin.protocol.paused import PAUSED_ASK, PausedAnswer, PausedRequest
from torchtwin.protocol.requests import COMM_ID, MIME_TYPE, QUERY_TARGET, Answered, Asked


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of everything that travels, with the wire's constants under `$constants`."""
    messages = [Page, Asked, Answered, Event, PausedRequest, PausedAnswer]
    _, definitions = msgspec.json.schema_components(messages, ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Torchtwin wire",
        "$constants": {
            "PROTOCOL": PROTOCOL,
            "COMM_ID": COMM_ID,
            "QUERY_TARGET": QUERY_TARGET,
            "MIME_TYPE": MIME_TYPE,
            "PAUSED_ASK": PAUSED_ASK,
        },
        "$defs": definitions,
    }


def text() -> str:
    """The schema as it is committed."""
    return json.dumps(schema(), indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    print(text(), end="")
