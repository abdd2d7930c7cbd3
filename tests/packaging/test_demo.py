"""`make demo`, as a person runs it: a URL, the exercise behind it, and an end at one Ctrl+C."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

ROOT = Path(__file__).parents[2]
URL = re.compile(r"http://127\.0\.0\.1:\d+/lab/workspaces/torchtwin/tree/linear_by_hand\.ipynb\?token=\w+")


@pytest.fixture
def demo() -> Iterator[subprocess.Popen[str]]:
    """As a terminal runs it. The `make` around the tests is not this one's affair."""
    _, terminal = pty.openpty()  # without one Jupyter does not ask before it ends
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    made = subprocess.Popen(
        ["make", "demo"],
        cwd=ROOT,
        env=variables,
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    yield made
    if made.poll() is None:
        os.killpg(made.pid, signal.SIGKILL)
    made.communicate()
    os.close(terminal)


def url_of(demo: subprocess.Popen[str]) -> str:
    """Read from what it prints; a demo that ends without one fails here."""
    assert demo.stdout is not None
    printed = []
    for line in demo.stdout:
        printed.append(line)
        if found := URL.search(line):
            return found[0]
    raise AssertionError("".join(printed))


def wait_for_an_answer(url: str, seconds: float = 60) -> None:
    """The URL is printed a moment before the server listens."""
    parts, until = urlsplit(url), time.monotonic() + seconds
    while True:
        try:
            socket.create_connection((parts.hostname, parts.port), timeout=seconds).close()
            return
        except ConnectionRefusedError:
            if time.monotonic() > until:
                raise


def contents(url: str, path: str) -> dict[str, object]:
    parts = urlsplit(url)
    token = parse_qs(parts.query)["token"][0]
    address = f"{parts.scheme}://{parts.netloc}{path}"
    request = urllib.request.Request(address, headers={"Authorization": f"token {token}"})
    with urllib.request.urlopen(request) as answer:
        found: dict[str, object] = json.load(answer)
    return found


def sources(notebook: Any) -> dict[str, str]:
    return {cell["id"]: "".join(cell["source"]) for cell in notebook["cells"]}


def test_the_demo_serves_the_exercise_and_ends_at_one_interrupt(demo: subprocess.Popen[str]) -> None:
    url = url_of(demo)
    wait_for_an_answer(url)
    served = contents(url, "/api/contents/linear_by_hand.ipynb")
    assert sources(served["content"]) == sources(json.loads((ROOT / "examples/linear_by_hand.ipynb").read_text()))
    about = contents(url, "/torchtwin/api/about")
    assert about["version"] == json.loads((ROOT / "package.json").read_text())["version"]
    os.killpg(demo.pid, signal.SIGINT)
    demo.wait(timeout=60)
