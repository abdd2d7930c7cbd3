"""How long it takes to import and to load, in fresh processes."""

from __future__ import annotations

import os
import subprocess
import sys

TIMED = """
import time
{before}
wall, cpu = time.perf_counter(), time.process_time()
{timed}
print(time.perf_counter() - wall, time.process_time() - cpu)
"""
SHELL = "from IPython.core.interactiveshell import InteractiveShell\nshell = InteractiveShell.instance()"
LOAD = "shell.run_line_magic('load_ext', 'torchtwin')"
WAYS = {
    "import torchtwin": ("", "import torchtwin"),
    "%load_ext torchtwin": (SHELL, LOAD),
    "%load_ext torchtwin, torch imported": (f"{SHELL}\nimport torch", LOAD),
}
"""What is done before and what is timed."""


def seconds(way: str) -> tuple[float, float]:
    """By the clock and on the processor."""
    # Where no compiled code may be written, all would be compiled anew each time.
    environment = {name: it for name, it in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before, timed = WAYS[way]
    code = TIMED.format(before=before, timed=timed)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    wall, cpu = done.stdout.split()[-2:]
    return float(wall), float(cpu)
