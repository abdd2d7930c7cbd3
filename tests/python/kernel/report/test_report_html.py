"""The report in a notebook's output: static, escaped, and readable with all style removed."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import msgspec
import pytest

from torchtwin.kernel.report import Report
from torchtwin.protocol import Call, Site

HOSTILE = "</td></table><script>alert(1)</script><img src=x onerror=alert(2)> \" ' & `<b>` \x1b[2J\u202e"
TAGS = {"div", "strong", "span", "code", "table", "tbody", "tr", "td", "br", "ul", "li"}


def html(make: Any, *calls: Call) -> str:
    return str(Report(calls, make.page(list(calls)))._repr_mimebundle_()["text/html"])


class Reader(HTMLParser):
    """What a browser would read: tags, attributes, words, and whether all is closed in order."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return "".join(self.words)


def hostile_call(make: Any) -> Call:
    error = msgspec.structs.replace(
        make.failed().error, type=HOSTILE, message=HOSTILE + "!", explanation=HOSTILE, suggestions=[HOSTILE]
    )
    operands = msgspec.structs.replace(
        make.failed().operands, input=make.operand(HOSTILE, 2, 3), bias=make.operand(HOSTILE, 2)
    )
    site = Site(file=HOSTILE, line=1, source=HOSTILE)
    return make.failed(name=HOSTILE, expression=HOSTILE, site=site, operands=operands, error=error)  # type: ignore[no-any-return]


def hostile_verdict(make: Any) -> Call:
    verdict = msgspec.structs.replace(make.wrong().forward, message=HOSTILE, note=HOSTILE)
    return make.exercise(forward=verdict)  # type: ignore[no-any-return]


def test_the_report_is_the_golden_one(make: Any, golden: Callable[[str, str], None]) -> None:
    golden("report.html", html(make, *make.mixed()))


def test_hostile_names_sources_and_messages_stay_text(make: Any) -> None:
    read = Reader(html(make, hostile_call(make), hostile_verdict(make)))
    assert read.tags <= TAGS
    assert read.attributes == {"style"}
    assert read.text.count("<script>alert(1)</script>") >= 5
    assert all(char.isprintable() or char == "\n" for char in read.text)


def test_nothing_runs_and_nothing_is_fetched(make: Any) -> None:
    read = Reader(html(make, *make.mixed()))
    assert read.tags <= TAGS
    assert read.attributes == {"style"}
    assert not re.search(r"url\(|expression\(|@import|javascript:", html(make, *make.mixed()))


def test_every_element_is_closed_in_order(make: Any) -> None:
    assert Reader(html(make, *make.mixed(), hostile_call(make))).open == []


def test_without_style_words_and_signs_say_all(make: Any) -> None:
    bare = Reader(re.sub(r' style="[^"]*"', "", html(make, *make.mixed()))).text
    for said in ("✕ failed", "✕ different", "✓ identical", "≈ rounding", "\N{EN DASH} unchecked", "1,000"):
        assert said in bare


def test_shapes_stand_in_the_column_of_their_operand(make: Any) -> None:
    table = re.findall(r"<table.*?</table>", html(make, make.exercise()))[0]
    rows = [
        [Reader(cell).text for cell in re.findall(r"<td.*?</td>", row)] for row in re.findall(r"<tr.*?</tr>", table)
    ]
    assert rows == [
        ["", "x", "@", "w.T", "+", "b", "→", "fc_out"],
        ["", "[1, 2]", "", "[2, 3]", "", "[1, 3]", "", "[1, 3]"],
    ]


def test_colours_can_be_read_on_light_and_dark_ground(make: Any) -> None:
    colours = set(re.findall(r"(?<![-\w])color: (#\w{6})", html(make, *make.mixed())))
    assert len(colours) == 3
    for colour in colours:
        assert contrast(colour, "#ffffff") >= 3.9
        assert contrast(colour, "#111111") >= 3.9


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2.1."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("kind", ["identical", "rounding", "different", "unchecked"])
def test_a_verdict_stands_in_a_row_of_a_table(make: Any, kind: str) -> None:
    verdict = msgspec.structs.replace(make.exercise().forward, kind=kind, message="m `code` <", reason=None)
    row = re.findall(r"<tr[^>]*><td[^>]*>output</td>.*?</tr>", html(make, make.exercise(forward=verdict)))[0]
    cells = [Reader(cell).text for cell in re.findall(r"<td.*?</td>", row)]
    assert cells[0] == "output"
    assert cells[1].endswith(f" {kind}")
    assert cells[2] == "m code <"


def test_the_size_is_bounded(make: Any) -> None:
    calls = [make.exercise(id=i, name="n" * 10**4, expression=f"x{i}") for i in range(200)]
    assert len(html(make, *calls)) < 300_000
