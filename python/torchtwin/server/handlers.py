"""What the routes have in common: who may ask, how much and how often, and how a refusal is told."""

from __future__ import annotations

from collections.abc import Callable
from http.client import responses
from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgspec
import tornado.web
from jupyter_server.base.handlers import APIHandler, JupyterHandler
from jupyter_server.extension.handler import ExtensionHandlerMixin
from tornado.http1connection import HTTP1Connection

from torchtwin.server.answers import Refusal
from torchtwin.server.archive import Unavailable
from torchtwin.server.reading import Unknown

if TYPE_CHECKING:
    import sqlite3

    from torchtwin.server.app import TorchtwinApp

RESOURCE = "torchtwin"
LARGEST_BODY = 64 * 1024
"""Bytes that are read before a request with a body is refused: no route takes one."""

T = TypeVar("T")


def parameters(request: Any, type: type[T]) -> T:
    """The query as `type` says. Of one that is given twice, the last; what is not known is left alone."""
    try:
        given = {key: values[-1].decode() for key, values in request.query_arguments.items()}
        return msgspec.convert(given, type, strict=False)
    except (msgspec.ValidationError, UnicodeDecodeError) as error:
        raise refusal(400, f"the query: {error}") from error


def refusal(status: int, message: str) -> tornado.web.HTTPError:
    return tornado.web.HTTPError(status, message)


async def read(app: TorchtwinApp, work: Callable[[sqlite3.Connection], T]) -> T:
    """From the store; what can't be had is refused."""
    try:
        return await app.archive.read(work)
    except Unknown as error:
        raise refusal(404, str(error)) from error
    except Unavailable as error:
        raise refusal(503, str(error)) from error


class Refusing(ExtensionHandlerMixin, JupyterHandler):
    """Has the extension, and tells refusals."""

    auth_resource = RESOURCE

    @property
    def app(self) -> TorchtwinApp:
        return cast("TorchtwinApp", self.extensionapp)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """As JSON; of a fault of ours, nothing but that there was one."""
        _, error, _ = kwargs.get("exc_info", (None, None, None))
        message = responses.get(status_code, "unknown error")
        if isinstance(error, tornado.web.HTTPError) and error.log_message:
            message = error.log_message % error.args
        self.set_header("Content-Type", "application/json")
        if status_code in (429, 503):
            self.set_header("Retry-After", "1")
        self.finish(msgspec.json.encode(Refusal(message)))


@tornado.web.stream_request_body
class Handler(Refusing, APIHandler):
    # A panel that is open asks by itself; that must not keep an idle server alive.
    _track_activity = False

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.set_header("Cache-Control", "no-store")

    async def prepare(self) -> None:  # type: ignore[override]
        await super().prepare()
        if self.request.headers.get("Transfer-Encoding") or int(self.request.headers.get("Content-Length") or 0):
            self._refuse_body()
        if not self.app.rate.allows():
            raise refusal(429, "too many requests")

    def _refuse_body(self) -> None:
        """As soon as the headers are here: nothing of it is kept."""
        connection = self.request.connection
        if isinstance(connection, HTTP1Connection):
            connection.set_max_body_size(LARGEST_BODY)
        raise refusal(413, "this route takes no body")

    def data_received(self, chunk: bytes) -> None:
        """Of a body that was refused."""

    def answer(self, body: Any) -> None:
        self.finish(msgspec.json.encode(body))
