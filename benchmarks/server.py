"""What the server extension takes: `python -m benchmarks.server`. A minute; needs no network and no browser.

Inserts a second, the size of the file, and how long a page takes from a kernel's `publish` to an open WebSocket.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

import msgspec
import torch
from tornado.websocket import WebSocketClientConnection, websocket_connect

import torchtwin
from torchtwin.kernel.session import Session
from torchtwin.protocol import COMM_ID, Page
from torchtwin.server import database, reading, store
from torchtwin.server.heard import Heard, heard

CALLS = 10_000
IN_PAGE = 100
PUBLICATIONS = 200
PUBLISH = """
%load_ext torchtwin
import time, torch
from torchtwin.kernel.session import session
from torchtwin.protocol import COMM_ID, TOPIC, PROTOCOL
torchtwin_kernel = get_ipython().kernel
for n in range({count}):
    time.sleep(0.02)
    data = {{"protocol": PROTOCOL, "session": "bench", "after": n, "upto": n + 1, "latest": n + 1, "envelopes": [
        {{"protocol": PROTOCOL, "session": "bench", "seq": n + 1, "event": {{"type": "state", "watching": True,
         "torch": str(time.time()), "torchtwin": "", "calls": n, "dropped": 0, "internal_errors": None}}}}]}}
    torchtwin_kernel.session.send(torchtwin_kernel.iopub_socket, "comm_msg", {{"comm_id": COMM_ID, "data": data}},
                                  parent=None, ident=TOPIC)
"""


def recorded(features: int) -> list[bytes]:
    """What a kernel publishes of so many real calls with their gradients, in pages."""
    session = Session()
    session.watch("every")
    layers = [torch.nn.Linear(features, features) for _ in range(4)]
    for _ in range(CALLS // len(layers)):
        h = torch.randn(8, features)
        for layer in layers:
            h = layer(h)
        h.sum().backward()
    session.unwatch()
    pages: list[bytes] = []
    after = 0
    while (page := session.recorder.page(after, IN_PAGE)).envelopes:
        pages.append(content(page))
        after = page.upto
    return pages


def content(page: Page) -> bytes:
    return msgspec.json.encode({"comm_id": COMM_ID, "data": page})


def inserts(title: str, contents: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        db = database.connect(Path(folder, "records.sqlite"))
        begun = time.perf_counter()
        pages = [it for it in (heard("kernel", each) for each in contents) if isinstance(it, Heard)]
        read = time.perf_counter()
        for page in pages:
            store.put(db, [page])
        written = time.perf_counter()
        reading.summary(db, "kernel", None)
        summed = time.perf_counter()
        events = sum(len(page.rows) for page in pages)
        wire = sum(map(len, contents)) / 1e6
        print(
            f"{title}: {events:,} events, {wire:.1f} MB on the wire; {events / (read - begun):,.0f} events a second"
            f" read, {events / (written - read):,.0f} written; {store.size(db) / 1e6:.1f} MB in the file;"
            f" summary {1e3 * (summed - written):.0f} ms"
        )
        db.close()


@contextmanager
def server() -> Iterator[tuple[str, str]]:
    """The address and token of a real Jupyter server."""
    with socket.socket() as free, tempfile.TemporaryDirectory() as folder:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        token = secrets.token_hex(16)
        package = str(Path(torchtwin.__file__).parents[1])
        environment = {**os.environ, "JUPYTER_DATA_DIR": folder, "JUPYTER_RUNTIME_DIR": folder, "PYTHONPATH": package}
        arguments = [f"--ServerApp.port={port}", f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}"]
        command = [sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", *arguments]
        extensions = "--ServerApp.jpserver_extensions={'torchtwin': True}"
        process = subprocess.Popen([*command, extensions], env=environment, stderr=subprocess.DEVNULL)
        try:
            yield f"127.0.0.1:{port}", token
        finally:
            process.terminate()
            process.wait(20)


def ask(address: str, token: str, path: str, body: object = None) -> dict[str, str]:
    """Tries for a while, as the server starts."""
    data = None if body is None else json.dumps(body).encode()
    for _ in range(200):
        try:
            with urlopen(Request(f"http://{address}/{path}", data, {"Authorization": f"token {token}"})) as answer:
                found: dict[str, str] = json.load(answer)
                return found
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(path)


async def latency(address: str, token: str) -> list[float]:
    """Seconds from each publication to its arrival."""
    kernel = ask(address, token, "api/kernels", {"name": "python3"})["id"]
    channels = await websocket_connect(f"ws://{address}/api/kernels/{kernel}/channels?token={token}")
    live = await websocket_connect(f"ws://{address}/torchtwin/api/kernels/{kernel}/live?token={token}")
    code = PUBLISH.format(count=PUBLICATIONS)
    header = {"msg_id": "1", "msg_type": "execute_request", "username": "", "session": "1", "version": "5.3"}
    request = {"channel": "shell", "header": header, "parent_header": {}, "metadata": {}, "content": {"code": code}}
    await channels.write_message(json.dumps(request))
    taken = await arrivals(live)
    channels.close()
    live.close()
    return taken


async def arrivals(live: WebSocketClientConnection) -> list[float]:
    taken: list[float] = []
    while len(taken) < PUBLICATIONS:
        text = await asyncio.wait_for(live.read_message(), 60)
        now = time.time()
        page = msgspec.json.decode(text or "", type=Page)
        if page.session == "bench":
            taken.append(now - float(page.envelopes[0].event.torch or 0))  # type: ignore[union-attr]
    return taken


def main() -> None:
    inserts("4 layers of 8 x 8, all elements travel", recorded(8))
    inserts("4 layers of 64 x 64, no elements travel", recorded(64))
    with server() as (address, token):
        taken = sorted(1e3 * it for it in asyncio.run(latency(address, token)))
    late = taken[int(0.95 * len(taken))]
    print(
        f"publish to WebSocket: median {statistics.median(taken):.1f} ms, 95 % {late:.1f} ms, most {taken[-1]:.1f} ms"
    )


if __name__ == "__main__":
    main()
