"""What `%twin` is asked: one expression, or two to be compared; and what is said of what is neither."""

from __future__ import annotations

import linecache
import sys

import pytest

from torchtwin.kernel.comparing.question import (
    FILE,
    Evaluation,
    compiled_as_filed,
    equality_meant,
    is_name,
    question,
    told,
)
from torchtwin.kernel.twin_line import unknown_word


@pytest.mark.parametrize(
    ("text", "sides"),
    [
        ("a == b", ("a", "b")),
        ("  x @ w.T + b == fc(x)  ", ("x @ w.T + b", "fc(x)")),
        ("fc(x == 1)", ("fc(x == 1)",)),
        ("(a == b)", ("a", "b")),
        ("a == b == c", ("a == b == c",)),
        ("a != b", ("a != b",)),
        ("a == b or c", ("a == b or c",)),
        ("lambda: a == b", ("lambda: a == b",)),
        ("{'é': a}['é'] == b", ("{'é': a}['é']", "b")),
        ("y", ("y",)),
    ],
)
def test_only_one_equality_at_the_top_has_two_sides_each_in_the_users_words(text: str, sides: tuple[str, ...]) -> None:
    asked = question(text)
    assert asked is not None
    assert (asked.words, asked.sides) == (text.strip(), sides)


@pytest.mark.parametrize("text", ["a = b", "a ==", "import x", "", "1 +", "a\0b", "(" * 500, "-" * 20_000 + "1"])
def test_what_is_no_expression_asks_nothing(text: str) -> None:
    assert question(text) is None


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("yy = yy", "yy == yy"),
        ("by_hand=fc(x)", "by_hand == fc(x)"),
        ("y = x @ w.T + b", "y == x @ w.T + b"),
        ("a = b = c", None),
        ("a = b == c", None),
        ("a == b", None),
        ("a += b", None),
        ("of", None),
        ("a = ", None),
        ("a = b; c = d", None),
    ],
)
def test_one_equals_sign_is_taken_for_two(text: str, meant: str | None) -> None:
    assert equality_meant(text) == meant


def test_whoever_writes_one_equals_sign_is_told_what_to_write() -> None:
    assert unknown_word("yy = yy") == "%twin compares by `==`: write `%twin yy == yy`."
    assert "does not know 'ofd'" in unknown_word("ofd")


def test_a_side_is_evaluated_in_the_users_names_and_changes_none() -> None:
    names = {"a": 2}
    assert Evaluation(names).value("a + 1") == (3, None)
    assert names["a"] == 2


def test_an_error_is_told_by_the_words_that_raised_it() -> None:
    value, wrong = Evaluation({}).value("nothing.here")
    assert (value, wrong) == (None, "`nothing.here` raised NameError: name 'nothing' is not defined")


class Mute(Exception):
    def __str__(self) -> str:
        raise ValueError


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("first\nsecond"), "ValueError: first"),
        (KeyError("k"), "KeyError: 'k'"),
        (ValueError(), "ValueError"),
        (Mute(), "Mute"),
    ],
)
def test_an_error_is_told_in_one_line_even_if_its_text_raises(error: Exception, text: str) -> None:
    assert told(error) == text


def test_the_words_are_filed_so_that_calls_in_them_find_their_source() -> None:
    names = {"frame": lambda: sys._getframe(1)}
    frame = eval(compiled_as_filed("frame()"), names)
    assert frame.f_code.co_filename == FILE
    assert linecache.getline(FILE, 1) == "frame()"


def test_a_word_that_no_variable_has_is_no_question() -> None:
    assert not is_name("ofd", {"off": 1})
    assert is_name("off", {"off": 1})
    assert is_name("a == b", {})
