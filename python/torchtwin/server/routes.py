"""All routes, in one table: what is served, and what `openapi.json` describes."""

from __future__ import annotations

import re

from tornado.web import RequestHandler

from torchtwin.server.about import AboutHandler
from torchtwin.server.live import LiveHandler
from torchtwin.server.records import (
    DescriptionHandler,
    ExportHandler,
    KernelHandler,
    KernelsHandler,
    NoSuchRoute,
    RecordHandler,
    RecordsHandler,
    SummaryHandler,
)

BASE = "/torchtwin/api"
ROUTES: dict[str, type[RequestHandler]] = {
    "/about": AboutHandler,
    "/openapi.json": DescriptionHandler,
    "/kernels": KernelsHandler,
    "/kernels/{kernel}": KernelHandler,
    "/kernels/{kernel}/records": RecordsHandler,
    "/kernels/{kernel}/records/{call}": RecordHandler,
    "/kernels/{kernel}/summary": SummaryHandler,
    "/kernels/{kernel}/export": ExportHandler,
    "/kernels/{kernel}/live": LiveHandler,
}


def patterns() -> list[tuple[str, type[RequestHandler]]]:
    """For tornado. What matches no route is refused by a handler of ours."""
    routes = [(BASE + re.sub(r"{\w+}", "([^/]+)", path.replace(".", r"\.")), each) for path, each in ROUTES.items()]
    return [*routes, (f"{BASE}/.*", NoSuchRoute)]
