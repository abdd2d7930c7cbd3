"""A verdict is true where all that was compared agrees, reads the same everywhere, and tells the cause first."""

from __future__ import annotations

import inspect

import msgspec
import pytest
import torch

import torchtwin
from torchtwin.kernel.comparing.verdict import Verdict
from torchtwin.protocol import MIME_TYPE, ComparedGradient, Comparison, Diagnosis
from torchtwin.protocol import Verdict as Found

KINDS = ("identical", "rounding", "different", "unchecked")
CAUSE = Diagnosis("missing_bias", "`a` lacks the bias.")


def made(kind: str, diagnosis: Diagnosis | None = None, note: str | None = None, **gradients: str) -> Verdict:
    def found(kind: str) -> Found:
        reason = "it is empty" if kind == "unchecked" else None
        return Found(kind, f"{kind}: the figures", reason, diagnosis=diagnosis, note=note)  # type: ignore[arg-type]

    return Verdict(
        Comparison("a", "b", found(kind), [ComparedGradient(name, found(it)) for name, it in gradients.items()])
    )


@pytest.mark.parametrize("kind", KINDS)
def test_only_identical_and_rounding_agree(kind: str) -> None:
    verdict = made(kind)
    assert verdict.agrees == bool(verdict) == (kind in ("identical", "rounding"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_gradient_that_was_asked_for_must_agree_and_one_that_was_not_compared_does_not(kind: str) -> None:
    assert made("identical", x="rounding", w=kind).agrees == (kind in ("identical", "rounding"))


@pytest.mark.parametrize("kind", ["different", "unchecked"])
def test_gradients_that_agree_do_not_outweigh_values_that_do_not(kind: str) -> None:
    assert not made(kind, x="identical", w="identical").agrees


def test_gradients_are_found_by_their_words() -> None:
    verdict = made("identical", x="different", w="rounding")
    assert {name: it.kind for name, it in verdict.gradients.items()} == {"x": "different", "w": "rounding"}


def test_the_cause_is_told_before_the_figures_in_text_and_html() -> None:
    verdict = made("different", CAUSE, "proven", x="different")
    for shown in (repr(verdict), verdict._repr_mimebundle_()["text/html"].replace("</code>", "").replace("<br>", " ")):
        places = [shown.index(words) for words in ("lacks the bias", "the figures", "proven")]
        assert places == sorted(places)
    assert repr(verdict).count("lacks the bias") == 2


def test_where_no_cause_was_found_the_figures_come_first() -> None:
    shown = repr(made("different", Diagnosis("unexplained", "No simple cause found.")))
    assert shown.index("the figures") < shown.index("No simple cause found.")


def test_no_mark_in_the_text_is_a_letter_that_may_be_a_variables_name() -> None:
    marks = [repr(made(kind)).splitlines()[1].split()[1] for kind in KINDS]
    assert marks == ["=", "~", "!", "-"]


def test_the_bundle_has_the_same_in_text_html_and_for_the_panel() -> None:
    verdict = made("different", CAUSE)
    bundle = verdict._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html", MIME_TYPE}
    assert bundle["text/plain"] == repr(verdict)
    (envelope,) = bundle[MIME_TYPE]["envelopes"]
    assert envelope["event"]["verdict"]["diagnosis"]["code"] == "missing_bias"


def test_what_a_hostile_name_holds_stays_text() -> None:
    verdict = Verdict(Comparison("<script>", "b\x1b[2J", Found("identical", "identical"), []))
    assert "<script>" not in verdict._repr_mimebundle_()["text/html"]
    assert "\x1b" not in repr(verdict)


def test_every_field_of_the_record_is_one_of_the_verdict() -> None:
    fields = {field.name for field in msgspec.structs.fields(Found)}
    assert fields <= set(Verdict.__annotations__)


def test_help_names_every_field_and_what_it_means() -> None:
    doc = inspect.getdoc(torchtwin.Verdict)
    assert doc is not None
    for field in (*Verdict.__annotations__, "agrees"):
        assert f"`{field}`" in doc, field


def test_help_of_compare_tells_what_may_be_given_and_what_comes_back() -> None:
    doc = inspect.getdoc(torchtwin.compare)
    assert doc is not None
    for word in ("wrt=[", "verdict.agrees", "verdict.kind", "verdict.diagnosis", "verdict.gradients", "`unchecked`"):
        assert word in doc, word


def test_help_does_not_promise_more_than_was_compared_or_proven() -> None:
    doc = " ".join((inspect.getdoc(torchtwin.Verdict) or "").split())
    assert "`identical` (every element that was compared is the same)" in doc
    assert "`different` may then be rounding" in doc
    assert "Each gradient must agree" in (inspect.getdoc(torchtwin.compare) or "").replace("\n", " ")


def test_help_of_records_tells_the_fields_of_a_match() -> None:
    doc = inspect.getdoc(torchtwin.records)
    assert doc is not None
    matches = doc[doc.index("`matches`") :]
    for word in ("`name`", "`of`", "`verdict`", "`output`", "`weight`", "`bias`", "`input`"):
        assert word in matches, word


def test_a_verdict_is_a_condition() -> None:
    if torchtwin.compare(torch.ones(2), torch.zeros(2)):
        pytest.fail("ones are no zeros")
