"""`GET torchtwin/`: the panel as a page of its own, for a kernel chosen from a list, and the files that it needs."""

from __future__ import annotations

from html import escape
from pathlib import Path

import tornado.web
from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.extension.handler import ExtensionHandlerMixin
from jupyter_server.utils import url_path_join

from torchtwin.server.handlers import RESOURCE, refusal

FILES = Path(__file__).parent / "static"
"""Made by `npm run build:page`."""
TYPES = {"page.js": "text/javascript; charset=utf-8", "page.css": "text/css; charset=utf-8"}
# React sets sizes on elements. Nothing else comes from elsewhere than this server.
POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self' ws: wss:; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Torchtwin</title>
<link rel="stylesheet" href="{files}/page.css">
</head>
<body>
<div id="torchtwin" data-base-url="{base}"><noscript>This page needs JavaScript.</noscript></div>
<script src="{files}/page.js" defer></script>
</body>
</html>
"""


class PageHandler(ExtensionHandlerMixin, JupyterHandler):
    """Who is not logged in is led to the login."""

    auth_resource = RESOURCE

    @tornado.web.authenticated
    @authorized
    def get(self) -> None:
        if not (FILES / "page.js").exists():
            raise refusal(503, "the page was not built: npm run build:page")
        self.set_header("Content-Security-Policy", POLICY)
        self.set_header("Cache-Control", "no-store")
        files = url_path_join(self.base_url, "torchtwin/static")
        self.finish(PAGE.format(files=escape(files), base=escape(self.base_url)))


class BareHandler(ExtensionHandlerMixin, JupyterHandler):
    """`GET torchtwin`: the same, by the address that somebody typed."""

    auth_resource = RESOURCE

    @tornado.web.authenticated
    @authorized
    def get(self) -> None:
        self.redirect(url_path_join(self.base_url, "torchtwin/"))


class FileHandler(ExtensionHandlerMixin, JupyterHandler):
    """`GET torchtwin/static/<file>`: one of the two that there are."""

    auth_resource = RESOURCE

    @tornado.web.authenticated
    @authorized
    def get(self, name: str) -> None:
        if name not in TYPES or not (FILES / name).exists():
            raise refusal(404, "no such file")
        self.set_header("Content-Type", TYPES[name])
        self.set_header("X-Content-Type-Options", "nosniff")
        # An upgrade replaces the files under a running server; the browser asks whether its copy is still the same.
        self.set_header("Cache-Control", "no-cache")
        self.finish((FILES / name).read_bytes())


def patterns() -> list[tuple[str, type[JupyterHandler]]]:
    """For tornado."""
    return [
        ("/torchtwin", BareHandler),
        ("/torchtwin/", PageHandler),
        ("/torchtwin/static/([^/]+)", FileHandler),
    ]
