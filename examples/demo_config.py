"""The settings of `make demo`: JupyterLab on this machine only, on the exercise, with the panel in sight."""

from __future__ import annotations

import os
import sys
from pathlib import Path

c = get_config()  # type: ignore[name-defined]  # noqa: F821

c.ServerApp.ip = "127.0.0.1"
c.ServerApp.port_retries = 100
# A copy, which may be edited and is kept between starts; the repository's own stays as it is.
c.ServerApp.root_dir = str(Path(__file__).parents[1] / "build" / "demo" / "notebooks")
c.TorchtwinApp.database = str(Path(__file__).parents[1] / "build" / "demo" / "records.sqlite")
c.ServerApp.allow_root = True
c.ServerApp.log_level = "WARN"  # so that the URL is not lost among other lines
c.ServerApp.answer_yes = True  # one Ctrl+C stops it, without a question
c.LabApp.default_url = "/lab/workspaces/torchtwin/tree/linear_by_hand.ipynb"

# Where there is no screen, a browser for the terminal would take the place of the printed URL.
has_screen = sys.platform != "linux" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
c.ServerApp.open_browser = bool(has_screen)
