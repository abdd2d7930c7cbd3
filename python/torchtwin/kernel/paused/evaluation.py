"""An expression evaluated in a paused frame, its value in a few words and numbers."""

from __future__ import annotations

import contextlib
import reprlib
import sys
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from torchtwin.kernel.comparing.question import compiled_as_filed
from torchtwin.kernel.paused.limit import GivenUp, Limit
from torchtwin.kernel.paused.place import Place
from torchtwin.kernel.torch_import import fully_imported
from torchtwin.protocol.paused import Evaluated, EvaluationError

if TYPE_CHECKING:
    from torchtwin.kernel.session import Session

MAX_EXPRESSION = 10_000
MAX_TEXT = 4_000
"""Characters of a value's `repr`."""
MAX_MESSAGE = 1_000

_EMPTY = Evaluated(
    expression="",
    class_name=None,
    tensor=None,
    statistics=None,
    unread=None,
    table=None,
    table_of=[],
    text=None,
    error=None,
    changed=[],
    seconds=0.0,
)
_short = reprlib.Repr()
_short.maxlevel = 4
_short.maxlist = _short.maxtuple = _short.maxset = _short.maxfrozenset = _short.maxdeque = _short.maxdict = 20
_short.maxarray = 20
_short.maxstring = _short.maxlong = 1_000
_short.maxother = MAX_TEXT


def evaluate(session: Session, place: Place, expression: str, seconds: float) -> Evaluated:
    """The value of the expression in the frame, in the user's grad mode and autocast. Raises nothing.

    Nothing is recorded. Random states, switches, gradients, and buffers of the modules that the expression names are
    put back; a name that it binds is forgotten. What it changes in place, it changes: `changed` tells of tensors.
    """
    began = time.perf_counter()
    words = expression.strip()
    changed: list[str] = []
    try:
        shown = _evaluated(session, place, words, seconds, changed)
    except GivenUp:
        message = f"given up after {seconds:g} s"
        shown = told(words, error=EvaluationError("TimeoutError", message))
    except BaseException as error:  # the user's own, an exit or an interrupt too: the frame stays where it is
        shown = told(words, error=_error(error))
    return msgspec.structs.replace(shown, changed=changed, seconds=time.perf_counter() - began)


def told(expression: str, **fields: Any) -> Evaluated:
    """An answer in which all but the `fields` is empty."""
    return msgspec.structs.replace(_EMPTY, expression=expression, **fields)


def _evaluated(session: Session, place: Place, words: str, seconds: float, changed: list[str]) -> Evaluated:
    if len(words) > MAX_EXPRESSION:
        raise ValueError(f"the expression has {len(words):,} characters; at most {MAX_EXPRESSION:,} are taken")
    code = compiled_as_filed(words)
    names = _names(place)
    with _unchanged(session, words, names, changed), Limit(seconds):
        # One namespace, so that a lambda or a comprehension in the expression sees the frame's variables too.
        return _described(words, eval(code, names))


def _names(place: Place) -> dict[str, Any]:
    """A copy, so that what the expression binds stays in it."""
    names: dict[str, Any] = {}
    for space in reversed(place.spaces):
        names.update(space)
    return names


@contextlib.contextmanager
def _unchanged(session: Session, words: str, names: Mapping[str, Any], changed: list[str]) -> Iterator[None]:
    if not fully_imported("torch"):
        yield
        return
    from torchtwin.kernel.paused.unchanged import Unchanged

    state = Unchanged(session, words, names)
    try:
        with state.kept():
            yield
    finally:
        changed += state.changed


def _described(words: str, value: object) -> Evaluated:
    kind = type(value)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    if fully_imported("torch") or "numpy" in sys.modules:
        from torchtwin.kernel.paused.values import described

        if (shown := described(value, told(words, class_name=name))) is not None:
            return shown
    return told(words, class_name=name, text=cut(_short.repr(value)))


def cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "..."


def _error(error: BaseException) -> EvaluationError:
    """By its type alone where its text raises as well."""
    try:
        message = next(iter(str(error).splitlines()), "")[:MAX_MESSAGE]
    except BaseException:
        message = ""
    if type(error) is SyntaxError and error.filename is not None:
        column = None if error.offset is None else max(error.offset - 1, 0)
        return EvaluationError("SyntaxError", error.msg, column, max(error.lineno or 1, 1))
    return EvaluationError(type(error).__name__, message)
