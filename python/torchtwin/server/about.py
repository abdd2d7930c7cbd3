"""What a page can learn of its server alone: which version is installed now, and where the files lie that it shows."""

from __future__ import annotations

import json
import os
from importlib.metadata import version

import tornado.web
from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from jupyter_server.services.contents.filemanager import FileContentsManager

from torchtwin.protocol import PROTOCOL


class AboutHandler(APIHandler):
    """`GET torchtwin/api/about`: `{"version": ..., "protocol": ..., "roots": [...]}`."""

    auth_resource = "torchtwin"

    @tornado.web.authenticated
    @authorized
    def get(self) -> None:
        # Read anew each time: an upgrade replaces the files under a running server.
        about = {"version": version("torchtwin"), "protocol": PROTOCOL, "roots": roots(self.contents_manager)}
        self.finish(json.dumps(about))


def roots(contents: object) -> list[str]:
    """The folder that the server shows, absolute: as written, and with links resolved, as a kernel may name it.

    Empty where the contents come from elsewhere than the disk.
    """
    if not isinstance(contents, FileContentsManager):
        return []
    root = os.path.abspath(contents.root_dir)
    return list(dict.fromkeys([root, os.path.realpath(root)]))
