"""Answers one question, "are these the same?", with all that a session knows."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING

from torchtwin.kernel.comparing.callables import compare_callables, wrt_of
from torchtwin.kernel.comparing.compare import Comparer
from torchtwin.kernel.comparing.origin import Tracer
from torchtwin.kernel.comparing.pair import noted
from torchtwin.kernel.comparing.question import told
from torchtwin.kernel.comparing.sides import Side, named, side
from torchtwin.kernel.comparing.words import words_of_question
from torchtwin.kernel.guard import Guard
from torchtwin.kernel.identity import has_storage, same_view
from torchtwin.kernel.kinds import is_tensor
from torchtwin.kernel.observe import Recording
from torchtwin.kernel.proof.judge import unchecked
from torchtwin.kernel.recorder import Recorder
from torchtwin.kernel.tap import reporting_to
from torchtwin.protocol import Comparison, Verdict

if TYPE_CHECKING:
    from torchtwin.kernel.session import Session


NOT_WATCHED = (
    "no call is watched: say `%twin on`, or `with torchtwin.watch():` in a script, and call the layer again for a proof"
)


@dataclass(frozen=True)
class Asked:
    """Two values that are to be compared, or two functions, and their gradients with respect to `wrt`."""

    actual: object
    expected: object
    words: tuple[str, str]
    """What the user calls them."""
    wrt: Sequence[object] = ()
    wrt_words: Sequence[str] = ()
    is_watched: bool = True
    """Whether calls are recorded, and not only for this question."""


def answer_call(session: Session, actual: object, expected: object, wrt: object, frame: FrameType) -> Comparison:
    """The comparison that a call in `frame` asks for, in the words of that call. Raises nothing."""
    words, wrt_words = ("actual", "expected"), list[str]()
    try:
        given = _listed(wrt)
    except Exception as error:  # a generator of the user's
        return Comparison(*words, unchecked(f"`wrt` raised {told(error)}"), [])
    try:
        words, wrt_words = words_of_question(frame, len(given))
    except Exception as error:
        session.guard.caught(error)
        wrt_words = [f"wrt[{at}]" for at in range(len(given))]
    return answer(session, Asked(actual, expected, words, given, wrt_words, session.watching))


def _listed(wrt: object) -> list[object]:
    """A tensor alone, which is no sequence here, stands for itself; so does whatever can't be compared."""
    if wrt is None:
        return []
    return list(wrt) if not is_tensor(wrt) and isinstance(wrt, Iterable) else [wrt]


def answer(session: Session, asked: Asked) -> Comparison:
    """The comparison. Raises nothing."""
    try:
        return _answer(session, asked)
    except Exception as error:
        session.guard.caught(error)
        return Comparison(*asked.words, unchecked(f"an internal error of Torchtwin ({type(error).__name__})"), [])
    finally:
        session.answered()


def _answer(session: Session, asked: Asked) -> Comparison:
    if any(callable(it) and not is_tensor(it) for it in (asked.actual, asked.expected)):
        return _of_functions(session, asked)
    tracer = session.tracer() or _Private(session).tracer
    verdict = _of_one_tensor(asked) or Comparer(tracer).compare(asked.actual, asked.expected, asked.words)
    if not asked.is_watched and not verdict.proof and _might_come_from_a_layer(asked):
        verdict = noted(verdict, NOT_WATCHED)
    if asked.wrt:
        verdict = noted(verdict, "`wrt` is for functions: these are values, whose gradients can't be computed anew")
    return Comparison(*asked.words, verdict, [])


def _might_come_from_a_layer(asked: Asked) -> bool:
    both = (asked.actual, asked.expected)
    is_readable = all(isinstance(side(it, ""), Side) for it in both)
    return is_readable and any(is_tensor(it) and it.is_floating_point() for it in both)


def _of_one_tensor(asked: Asked) -> Verdict | None:
    """Where both are the same elements of the same memory: whoever asks may not have meant that."""
    a, b = asked.actual, asked.expected
    if not (is_tensor(a) and is_tensor(b) and has_storage(a) and same_view(a, b)):
        return None
    first, second = map(named, asked.words)
    are_two = first != second
    what = f"{first} and {second} are the same tensor" if are_two else f"{first} is compared with itself"
    return Verdict(
        kind="identical",
        message=f"identical: {what}",
        equal_elements=a.numel(),
        elements=a.numel(),
        max_abs_diff=0.0,
        max_ulp_diff=0,
        units=0.0,
        bound=0.0,
        coverage="all",
        proof=True,
    )


def _of_functions(session: Session, asked: Asked) -> Comparison:
    found = wrt_of(asked.wrt, asked.wrt_words)
    if isinstance(found, str):
        return Comparison(*asked.words, unchecked(found), [])
    private = _Private(session)
    both, words = (asked.actual, asked.expected), asked.words
    try:
        with session.unheard():
            verdict, gradients = compare_callables(*both, words, found, private.tracer, private.recording)
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
