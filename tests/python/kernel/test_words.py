"""Words are taken apart without a warning, and not at all where they spell no expression."""

from __future__ import annotations

import ast
import warnings

import pytest

from torchtwin.kernel.words import binds_tightly, in_one_line, parsed, words_of


@pytest.mark.parametrize("words", ["f(x)\n+ 1", "f(\n  x\n)", "x \\\n + 1", "x if y else 1", "0x1f + 1e3", "a[1:2]"])
def test_an_expression_is_parsed(words: str) -> None:
    assert parsed(words) is not None


@pytest.mark.parametrize("words", ["f(", "x = 1", "for", "-" * 100_000 + "x", "(" * 1000 + ")" * 1000, "a\0"])
def test_what_is_no_expression_is_none(words: str) -> None:
    assert parsed(words) is None


@pytest.mark.parametrize("words", ['f("\\d")', "1if x else y", "0xfor x", "[1for x in y]", '"a\\\\d"'])
def test_words_of_which_python_warns_are_parsed_without_a_warning(words: str) -> None:
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        assert parsed(words) is not None
    assert warned == []


@pytest.mark.parametrize(("words", "line"), [("f(\n  x  # it\n)", "f( x # it )"), ("f(d['a  b'])", "f(d['a  b'])")])
def test_lines_are_joined_where_there_are_several(words: str, line: str) -> None:
    assert in_one_line(words) == line


def test_the_words_of_a_part_stand_in_one_line() -> None:
    words = "fc(torch.stack([\n    a,\n    b,\n]), x)"
    node = parsed(words)
    assert isinstance(node, ast.Call)
    assert [words_of(part, words) for part in node.args] == ["torch.stack([a, b])", "x"]


@pytest.mark.parametrize(
    ("words", "tight"), [("x", True), ("x.T", True), ("f(x)[0]", True), ("x * 2", False), ("-x", False), ("(", False)]
)
def test_what_binds_tightly_takes_a_method_as_it_stands(words: str, tight: bool) -> None:
    assert binds_tightly(words) is tight
