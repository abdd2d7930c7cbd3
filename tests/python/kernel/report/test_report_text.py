"""The report in a terminal: aligned, at most 80 columns, and unable to steer it."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from torchtwin.kernel.report import Report
from torchtwin.kernel.report_columns import clean, elide, hang, shorten_path, width
from torchtwin.kernel.report_terms import split
from torchtwin.protocol import Call, Operands, Site

HOSTILE = "\x1b[2J\x1b]0;owned\x07 a\rb\u202ec\ud800\n\nd"


def text(make: Any, *calls: Call) -> str:
    return repr(Report(calls, make.page(list(calls))))


def column(line: str, word: str) -> int:
    return line.index(word)


def test_the_report_is_the_golden_one(make: Any, golden: Callable[[str, str], None]) -> None:
    golden("report.txt", text(make, *make.mixed()) + "\n")


def test_the_exercise_is_the_golden_one(make: Any, golden: Callable[[str, str], None]) -> None:
    golden("report_exercise.txt", text(make, make.exercise()) + "\n")


def test_a_missing_golden_fails(golden: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UPDATE_GOLDEN", raising=False)
    with pytest.raises(AssertionError, match=r"never_written\.txt is missing"):
        golden("never_written.txt", "")


def test_shapes_stand_under_their_operands(make: Any) -> None:
    names, shapes = text(make, make.exercise()).splitlines()[3:5]
    assert names.split() == ["x", "@", "w.T", "+", "b", "->", "fc_out"]
    assert shapes.strip() == "[1, 2] @ [2, 3] + [1, 3] -> [1, 3]"
    for sign in "@+":
        assert column(names, sign) == column(shapes, sign)
    assert column(names, "x") == column(shapes, "[1, 2]") + 2


def test_clashing_dimensions_are_marked_from_below(make: Any) -> None:
    lines = text(make, make.failed()).splitlines()
    shapes, marks = lines[4], lines[5]
    assert "".join(a for a, b in zip(shapes, marks.ljust(len(shapes)), strict=True) if b == "^") == "12864"


def test_wide_characters_line_up_by_what_a_terminal_shows(make: Any) -> None:
    operands = msgspec.structs.replace(make.exercise().operands, input=make.operand("入力テンソル", 1, 2))
    names, shapes = text(make, make.exercise(expression="入力テンソル @ w.T + b", operands=operands)).splitlines()[3:5]
    assert width(names[: column(names, "@")]) == width(shapes[: column(shapes, "@")])


def random_call(make: Any, seed: int) -> Call:
    rng = random.Random(seed)

    def word(longest: int) -> str:
        return "".join(rng.choice("ab_.[]0入é \u0301`\x1b") for _ in range(rng.randint(1, longest)))

    def operand() -> Any:
        return make.operand(word(120), *(rng.randint(0, 10**9) for _ in range(rng.randint(0, 12))))

    call = make.failed() if rng.random() < 0.3 else make.wrong()
    output = None if call.error else operand()
    verdict = msgspec.structs.replace(call.forward, message=word(300), reason=None, note=word(200))
    return make.exercise(  # type: ignore[no-any-return]
        name=word(200),
        expression=word(200),
        site=Site(file=word(200), line=rng.randint(1, 10**6)),
        operands=Operands(operand(), operand(), operand(), operand() if rng.random() < 0.5 else None, output),
        forward=verdict,
        error=call.error,
    )


@pytest.mark.parametrize("seed", range(100))
def test_no_line_is_wider_than_80_columns(make: Any, seed: int) -> None:
    lines = text(make, random_call(make, seed), *make.mixed()).splitlines()
    assert max(width(line) for line in lines) <= 80


def test_formulas_too_long_for_a_line_take_a_line_for_each_operand(make: Any) -> None:
    shape = [10**6] * 4
    operands = Operands(*(make.operand(name, *shape) for name in ("x", "w", "w.T", "b", "out")))
    lines = text(make, make.exercise(operands=operands)).splitlines()[3:7]
    assert [line.split()[0] for line in lines] == ["x", "@", "+", "->"]
    assert all("  [10000" in line for line in lines)


def test_no_text_steers_the_terminal(make: Any) -> None:
    site = Site(file=HOSTILE, source=HOSTILE)
    error = msgspec.structs.replace(make.failed().error, message=HOSTILE, explanation=HOSTILE, suggestions=[HOSTILE])
    operands = msgspec.structs.replace(make.failed().operands, input=make.operand(HOSTILE, 1, 2))
    shown = text(make, make.failed(name=HOSTILE, site=site, error=error, expression=HOSTILE, operands=operands))
    assert all(char.isprintable() for line in shown.split("\n") for char in line)
    assert "\\x1b[2J" in shown


def test_an_unusual_expression_is_shown_by_operand_names(make: Any) -> None:
    names = text(make, make.exercise(expression="fused(x, w, b)")).splitlines()[3]
    assert names.split() == ["x", "@", "w.T", "+", "b", "->", "fc_out"]


def test_a_call_of_unknown_operands_shows_its_expression(make: Any) -> None:
    nothing = Operands(None, None, None, None, None)
    assert text(make, make.exercise(operands=nothing)).splitlines()[3] == "  x @ w.T + b"


def test_before_backward_the_report_says_so(make: Any) -> None:
    assert "gradients        - not yet    no backward so far" in text(make, make.encoder())
    assert "no backward" not in text(make, make.exercise())
    assert "no backward" not in text(make, make.failed())


@pytest.mark.parametrize(
    ("expression", "operands"),
    [
        ("x @ w.T + b", ["x", "w.T", "b"]),
        ("x @ w.T", ["x", "w.T"]),
        ("(x * 2) @ (w).T + (b)", ["(x * 2)", "(w).T", "(b)"]),
        ('é @ w["@"].T + b', ["é", 'w["@"].T', "b"]),
        ("x.bfloat16() @ w.bfloat16().T + b", ["x.bfloat16()", "w.bfloat16().T", "b"]),
        ("(x @ w.T + b).half()", []),
        ("x + b", []),
        ("x @\nw.T", []),
        ("not python", []),
        ("(" * 10_000, []),
        ("\0", []),
    ],
)
def test_the_expression_is_cut_at_its_operators(expression: str, operands: list[str]) -> None:
    assert split(expression) == operands


def test_elided_text_keeps_both_ends_and_paths_keep_their_end() -> None:
    assert elide("encoder.layers[0].linear1.weight.T", 20) == "encod...ar1.weight.T"
    assert elide("x", 1) == "x"
    assert shorten_path("/home/you/models/encoder.py, line 41", 25) == "...ls/encoder.py, line 41"


def test_wrapped_text_hangs_under_its_beginning() -> None:
    assert list(hang("- ", "one two three", 9)) == ["- one two", "  three"]
    assert list(hang("", "abcdefgh", 3)) == ["abc", "def", "gh"]
    assert list(hang("- ", "", 9)) == ["-"]


def test_long_text_is_bounded() -> None:
    assert len(clean("a" * 10**6)) == 403
