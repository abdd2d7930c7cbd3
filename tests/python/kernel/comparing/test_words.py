"""The words for both sides and for each tensor of `wrt` are those of the call that asks."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import pytest

from torchtwin.kernel.comparing.words import words_of_question

Words = tuple[tuple[str, str], list[str]]
x, w, b = 1, 2, 3
listed = [x, w]


class fc:
    weight = 4


def ask(actual: object = None, expected: object = None, *, wrt: Any = ()) -> Words:
    count = len(wrt) if isinstance(wrt, Sequence) else 1
    return words_of_question(sys._getframe(1), count)


def test_both_sides_are_called_as_they_were_written() -> None:
    assert ask(x + w, b * 2)[0] == ("x + w", "b * 2")


def test_sides_that_were_given_by_name_have_their_words_too() -> None:
    assert ask(expected=w, actual=x)[0] == ("x", "w")
    assert ask(x, expected=w)[0] == ("x", "w")


def test_words_over_several_lines_are_one_line() -> None:
    # fmt: off
    words = ask(
        (x
         + w),
        b,
    )[0]
    # fmt: on
    assert words == ("x + w", "b")


def test_each_tensor_of_wrt_has_its_words_and_a_pair_is_one() -> None:
    assert ask(x, w, wrt=[x, fc.weight, (x, w)])[1] == ["x", "fc.weight", "(x, w)"]
    assert ask(x, w, wrt=(x, w + 1))[1] == ["x", "w + 1"]


def test_a_tensor_alone_stands_for_itself() -> None:
    assert ask(x, w, wrt=b)[1] == ["b"]
    assert ask(x, w, wrt=fc.weight)[1] == ["fc.weight"]


def test_tensors_in_a_list_by_another_name_are_counted() -> None:
    assert ask(x, w, wrt=listed)[1] == ["wrt[0]", "wrt[1]"]
    assert ask(x, w, wrt=[*listed, x])[1] == ["wrt[0]", "wrt[1]", "wrt[2]"]


def test_without_wrt_there_are_no_words_for_it() -> None:
    assert ask(x, w)[1] == []


@pytest.mark.parametrize("how", ["ask(*[1, 2])", "ask(**{'actual': 1, 'expected': 2})"])
def test_sides_that_were_not_written_out_go_by_their_parameters(how: str) -> None:
    assert eval(how)[0] == ("actual", "expected")
