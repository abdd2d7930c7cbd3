"""Answers the questions of a host, on the comm that the host opened."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from torchtwin.kernel.session import Session
from torchtwin.protocol import (
    Answered,
    Asked,
    Clear,
    Done,
    ElementRequest,
    Pages,
    Refused,
    Replay,
    Reply,
    Request,
    SetMode,
    SetWatch,
)

MAX_EVENTS = 2000
"""In one answer, whatever limit was asked for."""


class Comm(Protocol):
    """What we need of `comm.BaseComm`."""

    def on_msg(self, callback: Any) -> None: ...
    def on_close(self, callback: Any) -> None: ...
    def send(self, data: Any) -> None: ...
    def close(self) -> None: ...


class Query:
    """Answers on every comm that was opened, until that closes."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._open: dict[int, Comm] = {}

    def opened(self, comm: Comm, message: object) -> None:
        """The callback of the comm target."""

        def asked(message: dict[str, Any]) -> None:
            data = message["content"]["data"]
            comm.send(msgspec.to_builtins(Answered(_id(data), self.answer(data))))

        comm.on_msg(asked)
        comm.on_close(lambda message: self._open.pop(id(comm), None))
        self._open[id(comm)] = comm

    def close(self) -> None:
        """Tells every host that nobody answers any more."""
        for comm in self._open.values():
            comm.close()
        self._open.clear()

    def answer(self, data: object) -> Reply:
        """The reply to `{id, request}`; never raises."""
        try:
            return self._carry_out(msgspec.convert(data, Asked).request)
        except msgspec.ValidationError as error:
            return Refused("invalid", str(error))
        except Exception as error:
            self._session.guard.caught(error)
            return Refused("failed", f"{type(error).__name__}: {error}")

    def _carry_out(self, request: Request) -> Reply:
        match request:
            case Replay(after, limit):
                return Pages(self._session.page(after, max(1, min(limit, MAX_EVENTS))))
            case SetWatch(on):
                self._session.watch() if on else self._session.unwatch()
            case SetMode(mode, budget):
                self._session.set_mode(mode, budget)
            case Clear():
                self._session.clear()
            case ElementRequest():
                return self._session.element(request)
        return Done()


def _id(data: object) -> str:
    return str(data.get("id", "")) if isinstance(data, dict) else ""
