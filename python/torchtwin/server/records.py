"""The REST routes: kernels with records, a kernel's records, one record, the summary, export, and delete."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Callable
from importlib import resources

import tornado.web
from jupyter_server.auth.decorator import authorized
from tornado.iostream import StreamClosedError

from torchtwin.protocol import RawPage
from torchtwin.server import export, reading, store
from torchtwin.server.answers import ExportOf, KernelRow, Kernels, OfSession, RecordsAfter, SessionRow, Storage
from torchtwin.server.handlers import Handler, parameters, read, refusal
from torchtwin.server.heard import LARGEST
from torchtwin.server.report import Report

KERNEL = re.compile(r"\w{1,64}(-\w{1,64}){0,8}", re.ASCII)
DELETE_SECONDS = 10.0


def kernel_id(text: str) -> str:
    """Whatever is no id of a kernel is an unknown one."""
    if not KERNEL.fullmatch(text):
        raise refusal(404, "no such kernel")
    return text


def call_id(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 17 and int(text) <= LARGEST):
        raise refusal(404, "no such call")
    return int(text)


class KernelsHandler(Handler):
    """`GET torchtwin/api/kernels`"""

    @tornado.web.authenticated
    @authorized
    async def get(self) -> None:
        sessions, left_out = await read(self.app, reading.sessions)
        size = await read(self.app, store.size)
        paths = {kernel: await self.app.path_of(kernel) for kernel in self.app.running()}
        rows: dict[str, list[SessionRow]] = {kernel: [] for kernel, _, _ in sessions}
        known = {kernel: path for kernel, path, _ in reversed(sessions)} | {k: p for k, p in paths.items() if p}
        for kernel, _, session in sessions:
            rows[kernel].append(session)
        kernels = [
            KernelRow(
                kernel, known.get(kernel, ""), kernel in paths, kernel in self.app.listening, rows.get(kernel, [])
            )
            for kernel in dict.fromkeys([*rows, *paths])
        ]
        self.answer(Kernels(kernels, left_out, self._storage(size)))

    def _storage(self, size: int) -> Storage:
        writer, intake = self.app.writer, self.app.intake
        return Storage(
            file=str(writer.path),
            bytes=size,
            problem=writer.problem,
            moved_aside=list(writer.moved_aside),
            lost=writer.lost,
            refused=intake.refused,
            unknown=intake.unknown,
        )


class KernelHandler(Handler):
    """`DELETE torchtwin/api/kernels/{kernel}`"""

    @tornado.web.authenticated
    @authorized
    async def delete(self, kernel: str) -> None:
        kernel, session = kernel_id(kernel), parameters(self.request, OfSession).session
        deleted = self.app.writer.submit(lambda db: store.delete(db, kernel, session))
        try:
            sessions = await asyncio.wait_for(asyncio.wrap_future(deleted), DELETE_SECONDS)
        except Exception as error:
            raise refusal(503, f"nothing was deleted: {error or 'the file is busy'}") from error
        if not sessions:
            raise refusal(404, f"no records of kernel {kernel}")
        self.set_status(204)
        self.finish()


class RecordsHandler(Handler):
    """`GET torchtwin/api/kernels/{kernel}/records`"""

    @tornado.web.authenticated
    @authorized
    async def get(self, kernel: str) -> None:
        kernel, asked = kernel_id(kernel), parameters(self.request, RecordsAfter)
        self.answer(await read(self.app, lambda db: reading.page(db, kernel, asked.session, asked.after, asked.limit)))


class RecordHandler(Handler):
    """`GET torchtwin/api/kernels/{kernel}/records/{call}`"""

    @tornado.web.authenticated
    @authorized
    async def get(self, kernel: str, call: str) -> None:
        kernel, id, session = kernel_id(kernel), call_id(call), parameters(self.request, OfSession).session
        self.answer(await read(self.app, lambda db: reading.record(db, kernel, session, id)))


class SummaryHandler(Handler):
    """`GET torchtwin/api/kernels/{kernel}/summary`"""

    @tornado.web.authenticated
    @authorized
    async def get(self, kernel: str) -> None:
        kernel, session = kernel_id(kernel), parameters(self.request, OfSession).session
        self.answer(await read(self.app, lambda db: reading.summary(db, kernel, session)))


class ExportHandler(Handler):
    """`GET torchtwin/api/kernels/{kernel}/export`"""

    @tornado.web.authenticated
    @authorized
    async def get(self, kernel: str) -> None:
        kernel, asked = kernel_id(kernel), parameters(self.request, ExportOf)
        _, session = await read(self.app, lambda db: reading.find(db, kernel, asked.session))
        if self.app.exports.locked():
            raise refusal(429, "others are being exported; try again")
        async with self.app.exports:
            self.set_header("Content-Disposition", f'attachment; filename="torchtwin-{session}.{asked.format}"')
            if asked.format == "html":
                await self._html(kernel, session)
            else:
                await self._lines(kernel, session)

    async def _read(self, work: Callable[[sqlite3.Connection], RawPage]) -> RawPage:
        return await read(self.app, work)

    async def _lines(self, kernel: str, session: str) -> None:
        self.set_header("Content-Type", "application/x-ndjson")
        async for page in export.pages(self._read, kernel, session):
            self.write(export.lines(page))
            try:
                await self.flush()  # not faster than it is taken
            except StreamClosedError:
                return
        self.finish(set_content_type="application/x-ndjson")

    async def _html(self, kernel: str, session: str) -> None:
        report = Report()
        async for page in export.pages(self._read, kernel, session):
            await asyncio.to_thread(report.add, page)
        summary = await read(self.app, lambda db: reading.summary(db, kernel, session))
        self.finish(await asyncio.to_thread(report.html, summary), set_content_type="text/html; charset=utf-8")


class DescriptionHandler(Handler):
    """`GET torchtwin/api/openapi.json`"""

    @tornado.web.authenticated
    @authorized
    def get(self) -> None:
        self.finish(resources.files("torchtwin.server").joinpath("openapi.json").read_bytes())


class NoSuchRoute(Handler):
    """Anything else under `torchtwin/api/`: refused as the other routes refuse, and not with a page for people."""

    @tornado.web.authenticated
    @authorized
    def get(self, *path: str) -> None:
        raise refusal(404, "no such route")

    post = put = patch = delete = get
