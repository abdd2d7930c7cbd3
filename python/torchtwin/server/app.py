"""The extension: wires the parts together when the server starts, and takes them apart when it ends."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_core.paths import jupyter_data_dir
from jupyter_server.extension.application import ExtensionApp
from traitlets import Bool, Float, Unicode

from torchtwin.server import page, store
from torchtwin.server.archive import Archive
from torchtwin.server.heard import Heard
from torchtwin.server.hub import Hub
from torchtwin.server.intake import Intake
from torchtwin.server.limits import Rate
from torchtwin.server.listening import Listening
from torchtwin.server.routes import patterns
from torchtwin.server.writer import Writer

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

DAY = 24 * 3600.0
MEGABYTE = 1_000_000.0


class TorchtwinApp(ExtensionApp):
    """Stores what kernels tell, and serves it."""

    name = "torchtwin"
    load_other_extensions = True

    database = Unicode(
        help="The SQLite file of the records. By default `torchtwin/records.sqlite` under Jupyter's data directory."
    ).tag(config=True)
    keep_records = Bool(True, help="Whether records are stored. If not, they are still passed on live.").tag(
        config=True
    )
    max_age_days = Float(30.0, min=0, help="Records that are older are deleted.").tag(config=True)
    max_megabytes = Float(
        500.0, min=1, help="If the records take more room, the oldest are deleted: ended sessions first, then calls."
    ).tag(config=True)

    def initialize_settings(self) -> None:
        """Nothing is opened before the server starts: many commands load extensions and serve nothing."""
        path = Path(self.database or Path(jupyter_data_dir(), "torchtwin", "records.sqlite"))
        self.writer = Writer(path, self.max_age_days * DAY, self.max_megabytes * MEGABYTE, self.log)
        self.archive = Archive(path, self.writer)
        self.hub = Hub()
        self.intake = Intake(self._deliver, self.log)
        self.rate = Rate(a_second=100, burst=1000)
        self.exports = asyncio.Semaphore(2)
        self._started = False
        self._named: dict[str, str] = {}
        events = self._server.event_logger
        assert events is not None
        self.listening = Listening(self._server.kernel_manager, events, self.intake.put, self.intake.refuse, self.log)

    def initialize_handlers(self) -> None:
        self.handlers.extend([*patterns(), *page.patterns()])

    async def _start_jupyter_server_extension(self, serverapp: ServerApp) -> None:
        self._loop = asyncio.get_running_loop()
        self._started = True
        self.writer.start()
        self.intake.start()
        self.listening.start()

    async def stop_extension(self) -> None:
        if not self._started:
            return
        self._started = False
        self.listening.stop()
        # Threads are waited for off the loop, on which the last pages are still published.
        for part in (self.intake, self.writer, self.archive):
            await asyncio.to_thread(part.stop)

    def running(self) -> list[str]:
        return list(self._server.kernel_manager.list_kernel_ids())

    async def path_of(self, kernel: str) -> str:
        """Of the kernel's notebook or console; empty where it has none."""
        try:
            session: dict[str, Any] = await self._server.session_manager.get_session(kernel_id=kernel)
        except Exception:  # a kernel without a session is refused with an HTTP error
            return ""
        return str(session.get("path") or "")

    @property
    def _server(self) -> ServerApp:
        assert self.serverapp is not None
        return self.serverapp

    def _deliver(self, page: Heard) -> None:
        """In the intake's thread. To the store first: who follows from now on finds there what came before."""
        if self.keep_records:
            self.writer.put(page)
        self._loop.call_soon_threadsafe(self._publish, page)

    def _publish(self, page: Heard) -> None:
        self.hub.publish(page)
        if self._named.get(page.kernel) != page.session:
            self._named[page.kernel] = page.session
            self._naming = self._loop.create_task(self._name(page.kernel))

    async def _name(self, kernel: str) -> None:
        """A new session's records get the name of the notebook, so that they are recognised when it is closed."""
        path = await self.path_of(kernel)
        if path:
            self.writer.submit(lambda db: store.name(db, kernel, path))
