"""The WebSocket: what is stored after a sequence number, then every page as it comes, each a frame."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
from jupyter_core.utils import ensure_async
from jupyter_server.auth.decorator import ws_authenticated
from jupyter_server.base.websocket import WebSocketMixin
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from torchtwin.server import reading
from torchtwin.server.answers import After
from torchtwin.server.archive import Unavailable
from torchtwin.server.handlers import RESOURCE, Refusing, parameters, refusal
from torchtwin.server.records import kernel_id

if TYPE_CHECKING:
    from torchtwin.server.hub import Follower

MOST = 100
"""Followers at a time."""
PATIENCE = 60.0
"""Seconds that a follower may take for one page."""


class LiveHandler(WebSocketMixin, WebSocketHandler, Refusing):
    """`GET torchtwin/api/kernels/{kernel}/live`, upgraded."""

    _following: asyncio.Task[None] | None = None

    def set_default_headers(self) -> None:
        """A WebSocket has no content type."""

    def get_compression_options(self) -> dict[str, Any] | None:
        options: dict[str, Any] | None = self.settings.get("websocket_compression_options")
        return options

    @ws_authenticated
    async def get(self, kernel: str) -> None:
        if not await ensure_async(self.authorizer.is_authorized(self, self.current_user, "read", RESOURCE)):
            raise refusal(403, "not authorized")
        if not self.app.rate.allows() or len(self.app.hub) >= MOST:
            raise refusal(429, "too many requests")
        self._kernel = kernel_id(kernel)
        self._asked = parameters(self.request, After)
        if self._kernel not in self.app.running():
            await self._stored()
        await super().get()

    async def _stored(self) -> None:
        try:
            await self.app.archive.read(lambda db: reading.find(db, self._kernel, None))
        except (reading.Unknown, Unavailable) as error:
            raise refusal(404, str(error)) from error

    def open(self) -> None:
        super().open()
        self._following = asyncio.create_task(self._follow())

    def on_close(self) -> None:
        super().on_close()
        if self._following is not None:
            self._following.cancel()

    def on_message(self, message: str | bytes) -> None:
        self.close(1003, "nothing is to be said here")

    async def _follow(self) -> None:
        """Follows before it replays, so that nothing falls in between. What comes twice is left out."""
        follower = self.app.hub.follow(self._kernel)
        try:
            await self._tell(follower)
        except TimeoutError:
            self.close(1013, "too slow")
        except WebSocketClosedError:
            pass
        finally:
            self.app.hub.leave(self._kernel, follower)

    async def _tell(self, follower: Follower) -> None:
        session, upto = self._asked.session, self._asked.after
        while True:
            session, upto = await self._replay(session, upto)
            while (page := await follower.next()) is not None:
                if page.session != session or page.upto > upto:
                    await self._send(page.text)
                    session, upto = page.session, page.upto

    async def _replay(self, known: str | None, upto: int) -> tuple[str | None, int]:
        """The kernel's newest session after `upto`; from its start, if what is known is another. What is known then."""
        await self.app.writer.caught_up()
        try:
            _, session = await self.app.archive.read(lambda db: reading.find(db, self._kernel, None))
            upto = upto if known in (None, session) else 0
            more = True
            while more:
                page = await self.app.archive.read(
                    lambda db, after=upto: reading.page(db, self._kernel, session, after, 2_000)  # type: ignore[misc]
                )
                await self._send(msgspec.json.encode(page).decode())
                upto, more = max(upto, page.upto), page.upto < page.latest
        except (reading.Unknown, Unavailable):
            return known, upto  # there is nothing to be had but what comes now
        return session, upto

    async def _send(self, text: str) -> None:
        """At the pace at which it is taken. Raises `TimeoutError` and `WebSocketClosedError`."""
        await asyncio.wait_for(self.write_message(text), PATIENCE)
