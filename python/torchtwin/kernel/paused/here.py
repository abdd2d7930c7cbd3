"""`torchtwin.here()` and `%twin here`."""

from __future__ import annotations

from types import FrameType

from torchtwin.kernel.paused.inspection import inspect
from torchtwin.kernel.paused.place import asker, place
from torchtwin.kernel.paused.text import text
from torchtwin.kernel.session import session

FAULT = "torchtwin.here() failed by a fault of Torchtwin's own: {error!r}. Please report it."


def show(frame: FrameType) -> None:
    """Prints what is known of the frame that is meant by whoever asks in `frame`. Raises nothing."""
    try:
        told = text(inspect(session, place(asker(frame))))
    except Exception as error:
        session.guard.caught(error)
        told = FAULT.format(error=error)
    print(told)
