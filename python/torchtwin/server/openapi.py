"""Describes the routes: `python -m torchtwin.server.openapi > python/torchtwin/server/openapi.json`."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

import msgspec

from torchtwin.protocol import Envelope, Page
from torchtwin.server.answers import (
    About,
    After,
    ExportOf,
    Kernels,
    Nothing,
    OfSession,
    RecordsAfter,
    Refusal,
    Summary,
)

JSON = "application/json"
PATHS = {
    "kernel": {"description": "The id that Jupyter gave the kernel. A restart keeps it.", "schema": {"type": "string"}},
    "call": {"description": "The running number of the call.", "schema": {"type": "integer", "minimum": 0}},
}
REFUSALS = {
    400: "The query is not as described here.",
    403: "Without a valid token, without the XSRF token where a cookie authenticates, or not authorized.",
    404: "There are no such records; or the request comes from another origin.",
    413: "A body was sent: no route takes one.",
    429: "Too many requests; try again after `Retry-After` seconds.",
    503: "The store can't be read or written at the moment.",
}


@dataclass(frozen=True)
class Operation:
    summary: str
    query: type = Nothing
    status: int = 200
    answers: dict[str, Any] = field(default_factory=dict)
    """By media type: a struct, or None for text."""
    description: str = ""
    """Of the answer."""


OPERATIONS: dict[tuple[str, str], Operation] = {
    ("/about", "get"): Operation("The installed version, and the folder that the server shows.", answers={JSON: About}),
    ("/openapi.json", "get"): Operation("This description.", answers={JSON: dict}),
    ("/kernels", "get"): Operation(
        "The kernels that run or have records, and how the store fares.", answers={JSON: Kernels}
    ),
    ("/kernels/{kernel}", "delete"): Operation(
        "Deletes the records of a kernel, or of one session.", OfSession, 204, description="They are deleted."
    ),
    ("/kernels/{kernel}/records", "get"): Operation(
        "The records after a sequence number, oldest first: a `Page` as the kernel itself tells it.",
        RecordsAfter,
        answers={JSON: Page},
        description="Begins after a higher number than was asked for where events in between are not stored; there is"
        " a next page if `latest` is greater than `upto`.",
    ),
    ("/kernels/{kernel}/records/{call}", "get"): Operation(
        "The newest event about one call. One that was told in short is told whole.",
        OfSession,
        answers={JSON: Envelope},
    ),
    ("/kernels/{kernel}/summary", "get"): Operation(
        "How many calls there are, by verdict and by layer.", OfSession, answers={JSON: Summary}
    ),
    ("/kernels/{kernel}/export", "get"): Operation(
        "All records of a session, as a file.",
        ExportOf,
        answers={"application/x-ndjson": None, "text/html": None},
        description="JSON Lines, an `Envelope` in each; or one page of HTML that needs nothing else.",
    ),
    ("/kernels/{kernel}/live", "get"): Operation(
        "A WebSocket: the stored records after a sequence number, then what comes; each frame is a `Page`.",
        After,
        101,
        description="The connection is upgraded. Frames may repeat what was sent; `seq` tells.",
    ),
}


def document() -> dict[str, Any]:
    structs = [it for each in OPERATIONS.values() for it in each.answers.values() if isinstance(it, type)]
    types = [*[it for it in structs if issubclass(it, msgspec.Struct)], Refusal]
    _, schemas = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    paths: dict[str, dict[str, Any]] = {}
    for (path, method), operation in OPERATIONS.items():
        paths.setdefault(path, {})[method] = _operation(path, operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Torchtwin server extension", "version": "1"},
        "servers": [{"url": "/torchtwin/api", "description": "Under the base URL of the Jupyter server."}],
        "security": [{"token": []}, {"query": []}, {"cookie": []}],
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": _schemes(), "responses": _refusals()},
    }


def _operation(path: str, operation: Operation) -> dict[str, Any]:
    body = {media: {"schema": _schema(answer)} for media, answer in operation.answers.items()}
    answer = {"description": operation.description or operation.summary} | ({"content": body} if body else {})
    named = [{"name": it, "in": "path", "required": True, **PATHS[it]} for it in re.findall(r"{(\w+)}", path)]
    return {
        "summary": operation.summary,
        "parameters": named + _query(operation.query),
        "responses": {
            str(operation.status): answer,
            **{str(code): {"$ref": f"#/components/responses/{code}"} for code in REFUSALS},
        },
    }


def _schema(answer: Any) -> dict[str, Any]:
    if answer is None:
        return {"type": "string"}
    if not issubclass(answer, msgspec.Struct):
        return {"type": "object"}
    return {"$ref": f"#/components/schemas/{answer.__name__}"}


def _query(type: type) -> list[dict[str, Any]]:
    (schema,), components = msgspec.json.schema_components([type], ref_template="{name}")
    properties = components[schema["$ref"]]["properties"]
    return [
        {"name": name, "in": "query", "required": False, "schema": _given(schema)}
        for name, schema in properties.items()
    ]


def _given(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter is left out, and never null."""
    some = [it for it in schema.get("anyOf", []) if it != {"type": "null"}]
    return some[0] if some else schema


def _schemes() -> dict[str, Any]:
    return {
        "token": {"type": "apiKey", "in": "header", "name": "Authorization", "description": "`token <token>`"},
        "query": {"type": "apiKey", "in": "query", "name": "token"},
        "cookie": {"type": "apiKey", "in": "cookie", "name": "username-<host>-<port>"},
    }


def _refusals() -> dict[str, Any]:
    content = {JSON: {"schema": {"$ref": "#/components/schemas/Refusal"}}}
    return {str(code): {"description": text, "content": content} for code, text in REFUSALS.items()}


def text() -> str:
    """The description as it is committed."""
    return json.dumps(document(), indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    print(text(), end="")
