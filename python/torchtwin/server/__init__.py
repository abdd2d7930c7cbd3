"""The Jupyter server's part. Never imports torch, and nothing from the kernel's part."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_server.utils import url_path_join

from torchtwin.server.about import AboutHandler

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp


def _load_jupyter_server_extension(serverapp: ServerApp) -> None:
    web_app = serverapp.web_app
    route = url_path_join(web_app.settings["base_url"], "torchtwin/api/about")
    web_app.add_handlers(".*$", [(route, AboutHandler)])  # type: ignore[no-untyped-call]
