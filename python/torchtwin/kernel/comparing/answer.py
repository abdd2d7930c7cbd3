"""Answers one question, "are these the same?", with all that a session knows."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from torchtwin.kernel.comparing.callables import compare_callables, wrt_of
from torchtwin.kernel.comparing.compare import Comparer, noted
from torchtwin.kernel.comparing.origin import Tracer
from torchtwin.kernel.guard import Guard
from torchtwin.kernel.kinds import is_tensor
from torchtwin.kernel.observe import Recording
from torchtwin.kernel.proof.judge import unchecked
from torchtwin.kernel.recorder import Recorder
from torchtwin.kernel.tap import reporting_to
from torchtwin.protocol import Comparison

if TYPE_CHECKING:
    from torchtwin.kernel.session import Session


def answer(
    session: Session,
    actual: object,
    expected: object,
    words: tuple[str, str],
    wrt: Sequence[object] = (),
    wrt_words: Sequence[str] = (),
) -> Comparison:
    """The comparison of two values, or of two functions and their gradients with respect to `wrt`. Raises nothing."""
    try:
        return _answer(session, actual, expected, words, wrt, wrt_words)
    except Exception as error:
        session.guard.caught(error)
        return Comparison(*words, unchecked(f"an internal error of Torchtwin ({type(error).__name__})"), [])


def _answer(
    session: Session,
    actual: object,
    expected: object,
    words: tuple[str, str],
    wrt: Sequence[object],
    wrt_words: Sequence[str],
) -> Comparison:
    if any(callable(it) and not is_tensor(it) for it in (actual, expected)):
        return _of_functions(session, actual, expected, words, wrt, wrt_words)
    tracer = session.tracer() or _Private(session).tracer
    verdict = Comparer(tracer).compare(actual, expected, words)
    if wrt:
        reason = "`wrt` is for functions: these are values, whose gradients can't be computed anew"
        verdict = noted(verdict, reason)
    return Comparison(*words, verdict, [])


def _of_functions(
    session: Session,
    actual: object,
    expected: object,
    words: tuple[str, str],
    wrt: Sequence[object],
    wrt_words: Sequence[str],
) -> Comparison:
    found = wrt_of(wrt, wrt_words)
    if isinstance(found, str):
        return Comparison(*words, unchecked(found), [])
    private = _Private(session)
    try:
        verdict, gradients = compare_callables(actual, expected, words, found, private.tracer, private.recording)
    finally:
        private.close()
    return Comparison(*words, verdict, gradients)


class _Private:
    """A recording that nobody else sees: the calls of functions that are compared are not the user's own."""

    def __init__(self, session: Session) -> None:
        self._recording = Recording(Recorder(os.urandom(8).hex()), Guard(), session.cells)
        self.tracer: Tracer = self._recording.tracer

    def recording(self) -> AbstractContextManager[None]:
        return reporting_to(self._recording)

    def close(self) -> None:
        """Takes every hook off."""
        self._recording.stop()
