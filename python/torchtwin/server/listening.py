"""Hears the pages of every local kernel, from its start to its end, through all restarts."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from jupyter_client.session import Session
from jupyter_events import EventLogger
from zmq.eventloop.zmqstream import ZMQStream

from torchtwin.protocol import TOPIC
from torchtwin.server.intake import Frames

KERNEL_ACTIONS = "https://events.jupyter.org/jupyter_server/kernel_actions/v1"
MOST_A_SECOND = 200
"""Messages of a kernel that are taken. Torchtwin sends ten."""
LARGEST = 64_000_000
"""Bytes in a message."""


class Ear:
    """On one kernel. `take` is given what it publishes under our topic."""

    def __init__(
        self, kernel: str, manager: Any, take: Callable[[Frames], None], refuse: Callable[[str], None]
    ) -> None:
        self.place = _place(manager)
        self._kernel = kernel
        self._take = take
        self._refuse = refuse
        self._second = 0
        self._this_second = 0
        # One of our own: the manager's remembers signatures, and would refuse what another reader has seen.
        self._session = Session(config=manager.session.config, key=manager.session.key)
        self._stream: ZMQStream = manager.connect_iopub()
        # The kernel itself sorts out what is not ours, so nothing else that it publishes costs the server anything.
        self._stream.socket.unsubscribe(b"")
        self._stream.socket.subscribe(TOPIC)
        self._stream.on_recv(self._received)

    def close(self) -> None:
        if not self._stream.closed():
            self._stream.close(linger=0)

    def _received(self, parts: list[bytes]) -> None:
        second = int(time.monotonic())
        self._this_second = self._this_second + 1 if second == self._second else 1
        self._second = second
        if self._this_second > MOST_A_SECOND:
            self._refuse(f"more than {MOST_A_SECOND} a second")
        elif sum(map(len, parts)) > LARGEST:
            self._refuse(f"a message of more than {LARGEST} bytes")
        else:
            self._take(Frames(self._kernel, self._session, parts))


class Listening:
    def __init__(
        self,
        kernels: Any,
        events: EventLogger,
        take: Callable[[Frames], None],
        refuse: Callable[[str], None],
        log: logging.Logger,
    ) -> None:
        """`kernels`: the server's `MappingKernelManager`."""
        self._kernels = kernels
        self._events = events
        self._take = take
        self._refuse = refuse
        self._log = log
        self._ears: dict[str, Ear] = {}

    def start(self) -> None:
        self._events.add_listener(schema_id=KERNEL_ACTIONS, listener=self._on_action)
        for kernel in self._kernels.list_kernel_ids():
            self._listen(kernel)

    def stop(self) -> None:
        self._events.remove_listener(schema_id=KERNEL_ACTIONS, listener=self._on_action)
        for kernel in list(self._ears):
            self._leave(kernel)

    def __contains__(self, kernel: str) -> bool:
        return kernel in self._ears

    async def _on_action(self, logger: EventLogger, schema_id: str, data: dict[str, Any]) -> None:
        kernel = data.get("kernel_id")
        if kernel is None or data.get("status") == "error":
            return
        if data["action"] in ("start", "restart"):
            await self._appeared(kernel)
        elif data["action"] == "shutdown":
            await self._gone(kernel)

    async def _appeared(self, kernel: str) -> None:
        """The start is told before the manager knows the kernel."""
        for _ in range(500):
            if kernel in self._kernels:
                self._listen(kernel)
                return
            await asyncio.sleep(0.02)

    async def _gone(self, kernel: str) -> None:
        """What it said last may still be on its way; and a restart is told as an end and a start."""
        await asyncio.sleep(1)
        if kernel not in self._kernels:
            self._leave(kernel)

    def _listen(self, kernel: str) -> None:
        """Once, and anew where a restart has taken other ports."""
        try:
            manager = self._kernels.get_kernel(kernel)
            known = self._ears.get(kernel)
            if known is not None and known.place == _place(manager):
                return
            self._leave(kernel)
            self._ears[kernel] = Ear(kernel, manager, self._take, self._refuse)
        except Exception as error:  # a kernel behind a gateway, or of a manager that we don't know
            self._log.info("torchtwin: kernel %s can't be heard: %r", kernel, error)

    def _leave(self, kernel: str) -> None:
        ear = self._ears.pop(kernel, None)
        if ear is not None:
            ear.close()


def _place(manager: Any) -> tuple[Any, ...]:
    return manager.transport, manager.ip, manager.iopub_port, manager.session.key
