"""What is installed here, so that a page loaded before an upgrade can tell that it is old."""

from __future__ import annotations

import json
from importlib.metadata import version

import tornado.web
from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler

from torchtwin.protocol import PROTOCOL


class AboutHandler(APIHandler):
    """`GET torchtwin/api/about`: `{"version": ..., "protocol": ...}`."""

    auth_resource = "torchtwin"

    @tornado.web.authenticated
    @authorized
    def get(self) -> None:
        # Read anew each time: an upgrade replaces the files under a running server.
        self.finish(json.dumps({"version": version("torchtwin"), "protocol": PROTOCOL}))
