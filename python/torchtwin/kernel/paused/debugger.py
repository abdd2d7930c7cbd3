"""What a debugger evaluates in a paused frame: base64 of a question in, base64 of the answer out. Never raises."""

from __future__ import annotations

import base64
import binascii
import sys
from types import FrameType

import msgspec

from torchtwin.kernel.paused.evaluation import evaluate
from torchtwin.kernel.paused.inspection import inspect
from torchtwin.kernel.paused.place import place
from torchtwin.kernel.session import session
from torchtwin.protocol import PROTOCOL, Refused
from torchtwin.protocol.paused import Evaluate, PausedAnswer, PausedReply, PausedRequest


def answer(question: str) -> str:
    """The `PausedAnswer` to a `PausedRequest`, for the frame in which the debugger evaluates this call."""
    reply = _answered(question, sys._getframe(1))
    return base64.b64encode(msgspec.json.encode(PausedAnswer(PROTOCOL, reply))).decode("ascii")


def _answered(question: str, frame: FrameType) -> PausedReply:
    try:
        asked = msgspec.json.decode(base64.b64decode(question, validate=True), type=PausedRequest)
        match asked:
            case Evaluate(expression, seconds):
                return evaluate(session, place(frame), expression, seconds)
            case _:
                return inspect(session, place(frame))
    except (msgspec.MsgspecError, binascii.Error, TypeError, ValueError) as error:
        return Refused("invalid", str(error))
    except BaseException as error:  # an interrupt too: it would end the debugger's own wait
        session.guard.caught(error)
        return Refused("failed", f"{type(error).__name__}: {error}")
