"""The committed description is the generated one, and the handlers do what it says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from tests.python.server.conftest import KERNEL, call, page, run, state
from tornado.httpclient import HTTPClientError
from tornado.web import RequestHandler

import torchtwin
from torchtwin.server import openapi
from torchtwin.server.routes import ROUTES

COMMITTED = Path(torchtwin.__file__).parent / "server" / "openapi.json"
METHODS = ("get", "head", "post", "put", "patch", "delete")
RECORDED = {"kernel": KERNEL, "call": "1"}
Keep = Callable[..., None]


def document() -> Any:
    return json.loads(COMMITTED.read_text(encoding="utf-8"))


def test_the_committed_description_is_the_generated_one() -> None:
    remedy = "run: python -m torchtwin.server.openapi > python/torchtwin/server/openapi.json"
    assert COMMITTED.read_text(encoding="utf-8") == openapi.text(), remedy


def implemented(handler: type[RequestHandler]) -> set[str]:
    return {it for it in METHODS if getattr(handler, it) is not getattr(RequestHandler, it)}


def test_every_route_and_method_is_described_and_none_besides() -> None:
    described = {path: set(operations) for path, operations in document()["paths"].items()}
    assert described == {path: implemented(handler) for path, handler in ROUTES.items()}


def test_every_parameter_of_a_path_is_described() -> None:
    for path, operations in document()["paths"].items():
        for operation in operations.values():
            named = {it["name"] for it in operation["parameters"] if it["in"] == "path"}
            assert named == {part[1:-1] for part in path.split("/") if part.startswith("{")}


def validate(schema: Any, value: Any) -> None:
    """Against a schema whose references are to the document."""
    jsonschema.Draft202012Validator({**schema, "components": document()["components"]}).validate(value)


def operations() -> list[tuple[str, str]]:
    return [(path, method) for path, each in document()["paths"].items() for method in each]


@pytest.mark.parametrize(("path", "method"), [it for it in operations() if not it[0].endswith("/live")])
def test_an_answer_is_as_described(path: str, method: str, keep: Keep, jp_fetch: Any, jp_asyncio_loop: Any) -> None:
    keep(page(state(), call(1), run(2, 1)))
    parts = path.format(**RECORDED).strip("/").split("/")
    answer = jp_asyncio_loop.run_until_complete(jp_fetch("torchtwin", "api", *parts, method=method.upper()))
    described = document()["paths"][path][method]["responses"]
    assert str(answer.code) in described
    content = described[str(answer.code)].get("content", {})
    media = answer.headers.get("Content-Type", "").partition(";")[0]
    assert bool(answer.body) == bool(content)
    if media == "application/json":
        validate(content[media]["schema"], json.loads(answer.body))
    elif content:
        assert media in content


@pytest.mark.parametrize(("path", "method"), [it for it in operations() if "{kernel}" in it[0]])
def test_a_refusal_is_as_described(path: str, method: str, app: Any, jp_fetch: Any, jp_asyncio_loop: Any) -> None:
    parts = path.format(**RECORDED).strip("/").split("/")
    with pytest.raises(HTTPClientError) as error:
        jp_asyncio_loop.run_until_complete(jp_fetch("torchtwin", "api", *parts, method=method.upper()))
    assert error.value.code == 404
    assert error.value.response is not None
    described = document()["components"]["responses"]["404"]["content"]["application/json"]["schema"]
    validate(described, json.loads(error.value.response.body))


def test_a_wrong_answer_would_be_noticed() -> None:
    with pytest.raises(jsonschema.ValidationError):
        validate({"$ref": "#/components/schemas/Refusal"}, {"reason": "?"})
