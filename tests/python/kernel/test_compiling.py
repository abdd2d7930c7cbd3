"""The user's text is compiled again without a warning, and without a trace in the warnings' machinery."""

from __future__ import annotations

import sys
import threading
import warnings

import pytest

from torchtwin.kernel.compiling import compiled, expression, statements


@pytest.mark.parametrize("text", ["x is 1", "'\\d'", "(1)(2)", "f(", "a\0"])
def test_the_filters_are_the_same_afterwards(text: str) -> None:
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        warnings.filterwarnings("error", "of the user's own")
        filters, content = warnings.filters, list(warnings.filters)
        for compiles in (expression, statements, lambda text: compiled(text, "<text>")):
            try:
                compiles(text)
            except (SyntaxError, ValueError):
                assert text in ("f(", "a\0")
        assert warnings.filters is filters
        assert warnings.filters == content
    assert warned == []


def test_a_filter_that_makes_errors_of_warnings_makes_none_here() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert compiled("x is 1", "<text>") is not None


def test_a_warning_that_was_shown_once_is_not_shown_again() -> None:
    names = {"warnings": warnings, "__name__": "of_the_user"}
    code = compile("warnings.warn('once')", "<user>", "exec")
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("default")
        exec(code, names)
        registry = dict(names["__warningregistry__"])  # type: ignore[call-overload]
        expression("x is 1")
        assert names["__warningregistry__"] == registry
        exec(code, names)
    assert len(warned) == 1


def test_no_other_thread_meets_the_filter() -> None:
    stop, met, filters = threading.Event(), [], list(warnings.filters)

    def look() -> None:
        while not stop.is_set():
            if warnings.filters != filters:
                met.append(list(warnings.filters))

    interval = sys.getswitchinterval()
    looking = threading.Thread(target=look)
    try:
        sys.setswitchinterval(1e-6)
        looking.start()
        for _ in range(300):
            compiled("x is 1\n" * 50, "<text>")
    finally:
        stop.set()
        looking.join()
        sys.setswitchinterval(interval)
    assert met == []
