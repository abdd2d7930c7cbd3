"""The exported page: what matters first, nothing from elsewhere, no script, nothing of the user's taken for markup."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.python.server.conftest import call, page, run, state

from torchtwin import protocol as p
from torchtwin.server import report
from torchtwin.server.answers import Layer, Summary, Verdicts
from torchtwin.server.report import Report

DIFFERENT = p.Verdict(
    kind="different",
    message="1 of 6 elements differs",
    proof=True,
    diagnosis=p.Diagnosis("missing_bias", "Write `x @ w.T + b`."),
    note="`fc.weight.grad` holds 2 backward passes",
)
FAILED = p.Failure("RuntimeError", "mat1 and mat2", "`h` has 4 features, `fc2` takes 3.", ["`h.T`"], [])


def summary(**changed: Any) -> Summary:
    verdicts = Verdicts(failed=0, different=1, rounding=0, identical=2, unchecked=0)
    layers = [Layer("out", 1, "different"), Layer("fc", 2, "identical")]
    made = Summary("k", "s1", "a/b.ipynb", 0.0, 60.0, 3, 0, verdicts, layers, 0, state(3))
    return msgspec.structs.replace(made, **changed)


def written(*events: p.Event, about: Summary | None = None) -> str:
    made = Report()
    made.add(msgspec.json.decode(msgspec.json.encode(page(*events)), type=p.RawPage))
    return made.html(about or summary())


class Text(HTMLParser):
    """What a reader sees, and the tags and attributes that are used."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text = ""
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self._silent = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self._silent = tag == "style"

    def handle_data(self, data: str) -> None:
        self.text += "" if self._silent else data

    def handle_endtag(self, tag: str) -> None:
        self._silent = False


def read(*events: p.Event, about: Summary | None = None) -> str:
    return re.sub(r"\s+", " ", Text(written(*events, about=about)).text)


def test_the_head_says_of_what_when_and_how_much() -> None:
    text = read(about=summary(dropped=1234, left_out=5))
    assert "Torchtwin · a/b.ipynb" in text
    assert "session s1 · 1970-01-01 00:00:00 UTC to 1970-01-01 00:01:00 UTC · torchtwin 0.1.0 · torch 2.13.0" in text
    assert "3 calls: 1 different, 2 identical. 1,234 older ones are no longer kept." in text
    assert "5 more layers are not listed." in text


def test_a_difference_is_told_with_its_diagnosis_and_a_failure_with_what_would_fit() -> None:
    text = read(call(1, DIFFERENT), call(2, error=FAILED, name="fc2"))
    assert "✕ different (proven) 1 of 6 elements differsWrite x @ w.T + b.fc.weight.grad holds 2 backward" in text
    assert "h has 4 features, fc2 takes 3.h.TRuntimeError: mat1 and mat2" in text


def test_differences_and_failures_come_first_and_are_open() -> None:
    html = written(call(1), call(2, DIFFERENT, name="wrong"), call(3, error=FAILED, name="broken"))
    heads = re.findall(r"<details( open)?><summary>.*?<strong>(\w+)</strong>", html)
    assert heads == [(" open", "broken"), (" open", "wrong"), ("", "fc")]


def test_calls_of_one_layer_at_one_place_are_one_block_with_the_worst_of_them_shown() -> None:
    text = read(call(1), call(2), call(3, DIFFERENT), run(4, 1, 1, 2))
    assert "✕ different fc x @ w.T \N{MULTIPLICATION SIGN} 6 In [3], line 7 · 2 identical, 1 different, 3" in text
    assert text.count("fc x @ w.T") == 1


def test_a_call_that_changes_meanwhile_counts_as_it_is_now() -> None:
    assert "✕ different fc x @ w.T In [3], line 7" in read(call(1), call(1, DIFFERENT))


def test_operands_are_told_with_their_shapes() -> None:
    assert "inputx[2, 4]float32cpuweightw[3, 4]float32cpuoutputy[2, 3]float32cpu" in read(call(1))


def test_what_does_not_fit_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "MAX_GROUPS", 2)
    assert "3 more places are not shown." in read(*[call(id, name=f"fc{id}") for id in range(1, 6)])


def test_the_page_needs_nothing_from_elsewhere_and_runs_nothing() -> None:
    html = written(call(1, DIFFERENT))
    seen = Text(html)
    assert not seen.tags & {"script", "link", "img", "iframe", "object", "form", "base"}
    assert seen.attributes <= {"lang", "charset", "name", "content", "http-equiv", "class", "open"}
    assert "url(" not in html
    assert "@import" not in html
    assert "://" not in html
    assert "default-src 'none'" in html


def test_it_is_readable_in_light_and_in_dark() -> None:
    """Text and page differ by at least the 4.5 : 1 that WCAG asks for, in both."""
    for block in re.findall(r":root {(.*?)}", report._STYLE, re.DOTALL):
        colours = dict(re.findall(r"--(\w+): (#\w{6})", block))
        for text in ("text", "faint", "bad", "good"):
            for ground in ("page", "code"):
                assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    assert "prefers-color-scheme: dark" in report._STYLE


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [it / 12.92 if it <= 0.03928 else ((it + 0.055) / 1.055) ** 2.4 for it in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


HOSTILE = '<script>alert("`1`")</script>\'&amp;\u202e\x00\x1b[31m'


def test_nothing_of_the_users_is_taken_for_markup() -> None:
    bad = msgspec.structs.replace(DIFFERENT, message=HOSTILE, note=HOSTILE)
    failure = p.Failure(HOSTILE, HOSTILE, HOSTILE, [HOSTILE], [])
    site = p.Site(file=HOSTILE, line=1, source=HOSTILE)
    operand = p.Operand(HOSTILE, [1], HOSTILE, HOSTILE, False)
    hostile = call(
        1,
        bad,
        name=HOSTILE,
        expression=HOSTILE,
        error=failure,
        site=site,
        operands=p.Operands(operand, operand, operand, operand, operand),
    )
    html = written(hostile, about=summary(path=HOSTILE, layers=[Layer(HOSTILE, 1, "failed")]))
    assert Text(html).tags == Text(written(call(1, DIFFERENT, error=FAILED))).tags
    assert not {"\u202e", "\x00", "\x1b"} & set(html)
    assert "<script>" in Text(html).text


@given(st.text(max_size=300))
def test_any_text_is_shown_and_adds_no_tag(text: str) -> None:
    shown = Text(report._text(text) + report._prose(text))
    assert shown.tags <= {"code"}
    assert Text(report._text(text)).tags == set()


def test_a_text_without_end_has_one() -> None:
    assert len(report._text("x" * 100_000)) == report.MAX_TEXT + 1
