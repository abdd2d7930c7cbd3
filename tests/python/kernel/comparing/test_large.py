"""Products too large to compute for a question are judged by some of their rows and a probe of all."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.python.kernel.comparing.conftest import Ask
from tests.python.kernel.conftest import Notebook

from torchtwin.kernel.comparing import origin
from torchtwin.protocol import Verdict

SETUP = """\
torch.manual_seed(0)
fc = nn.Linear(64, 64)
x = torch.randn(300, 64)
y = fc(x)
hand = x.double() @ fc.weight.double().T + fc.bias.double()
hand = hand.float()
"""


@pytest.fixture
def large(notebook: Notebook, monkeypatch: pytest.MonkeyPatch) -> Notebook:
    monkeypatch.setattr(origin, "MAX_MULTIPLY_ADDS", 10**5)
    notebook.run(SETUP)
    return notebook


def code(verdict: Verdict) -> str | None:
    return None if verdict.diagnosis is None else verdict.diagnosis.code


@pytest.mark.parametrize("sides", [("hand", "y"), ("y", "hand"), ("hand.reshape(-1)", "y.view(-1)")])
def test_what_agrees_is_proven_in_some_rows_and_probed_in_all(
    large: Notebook, ask: Ask, sides: tuple[str, str]
) -> None:
    verdict = ask(*sides).verdict
    assert (verdict.kind, verdict.proof, verdict.coverage) == ("rounding", True, "probe")
    assert verdict.probe is not None
    apart = int((large.names["hand"] != large.names["y"]).sum())
    assert (verdict.probe.alarms, verdict.elements, verdict.equal_elements) == (0, 300 * 64, 300 * 64 - apart)
    assert verdict.message.startswith(f"rounding only: {apart:,} of 19,200 elements differ; ")
    assert verdict.message.endswith(" of 300 rows were computed; a probe over all 19,200 elements is silent")


@pytest.mark.parametrize(
    ("wrong", "cause"),
    [
        ("x @ fc.weight.T", "missing_bias"),
        ("x @ fc.weight + fc.bias", "missing_transpose"),
        ("2 * hand", "scaled"),
        ("-hand", "negated"),
        ("hand.flip(1)", "permuted"),
    ],
)
def test_a_cause_is_found_in_the_rows_that_trip_the_probe(large: Notebook, ask: Ask, wrong: str, cause: str) -> None:
    verdict = ask(wrong, "y").verdict
    assert (verdict.kind, verdict.proof, code(verdict)) == ("different", True, cause)
    assert verdict.coverage in (f"rows {64 + n} of 300" for n in range(17))


def test_a_row_that_is_wrong_is_named_with_the_place_in_the_whole(large: Notebook, ask: Ask) -> None:
    large.run("wrong = hand.clone()\nwrong[201, 33] += 1.0")
    for sides in (("wrong", "y"), ("y", "wrong")):
        verdict = ask(*sides).verdict
        assert (verdict.kind, code(verdict)) == ("different", "partial")
        assert "first [201, 33]" in verdict.message
        assert verdict.outside == [201 * 64 + 33]
        assert verdict.diagnosis is not None
        assert (
            verdict.diagnosis.message
            == "Only row 201 of the 300 of `wrong` differs, as far as a probe over all rows tells."
        )


def test_a_row_that_is_wrong_by_less_than_the_probe_sees_is_computed_as_the_one_that_is_furthest_apart(
    large: Notebook, ask: Ask
) -> None:
    large.run("x.requires_grad_(False)\nbound = 66 * 2**-24 * (x.abs() @ fc.weight.abs().T + fc.bias.abs())")
    for place in ((17, 3), (201, 33), (299, 0)):
        large.run(f"wrong = y.detach().clone()\nwrong[{place}] += 4 * bound[{place}].item()")
        verdict = ask("wrong", "y").verdict
        assert verdict.kind == "different"
        assert f"first [{place[0]}, {place[1]}]" in verdict.message


def test_a_row_that_overflows_on_both_sides_is_not_told_as_wrong(large: Notebook, ask: Ask) -> None:
    large.run("x[5] = torch.inf\ny = fc(x)\nwrong = y.detach().clone()\nwrong[201, 33] += 1.0")
    verdict = ask("wrong", "y").verdict
    assert verdict.diagnosis is not None
    assert verdict.diagnosis.message.startswith("Only row 201 of the 300 of `wrong` differs")
    assert ask("y.detach().clone()", "y").verdict.message.endswith("trips nowhere else")


def test_only_what_is_equal_in_all_elements_is_identical(large: Notebook, ask: Ask) -> None:
    assert ask("y.detach().clone()", "y").verdict.kind == "identical"
    large.run("near = y.detach().clone()\nnear[123, 4] = near[123, 4].nextafter(torch.tensor(9.0))")
    verdict = ask("near", "y").verdict
    assert (verdict.kind, verdict.equal_elements) == ("rounding", 300 * 64 - 1)


def test_of_a_part_only_its_own_rows_are_computed(large: Notebook, ask: Ask) -> None:
    verdict = ask("hand[40:43, ::2]", "y[40:43, ::2]").verdict
    assert (verdict.kind, verdict.proof, verdict.coverage, verdict.elements) == ("rounding", True, "all", 96)
    large.run("wrong = hand.clone()\nwrong[41, 2] += 1.0")
    verdict = ask("wrong[40:43, ::2]", "y[40:43, ::2]").verdict
    assert (verdict.kind, code(verdict)) == ("different", "partial")
    assert verdict.diagnosis is not None
    assert "Only the element at [1, 1] of" in verdict.diagnosis.message


def test_elements_in_another_order_are_computed_in_full(large: Notebook, ask: Ask) -> None:
    verdict = ask("hand.T", "y.T").verdict
    assert (verdict.kind, verdict.proof, verdict.coverage) == ("rounding", True, "all")


def test_where_more_rows_trip_than_are_computed_no_silence_is_claimed(
    large: Notebook, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchtwin.kernel.proof import alarm

    factors = alarm._factors.__wrapped__
    # Any rounding trips it.
    monkeypatch.setattr(alarm, "_factors", lambda *of: replace(factors(*of), limit=1e-14, folded=0.0))
    verdict = ask("hand", "y").verdict
    assert verdict.kind == "rounding"
    assert verdict.probe is None
    assert verdict.coverage is not None
    assert verdict.coverage.startswith("rows ")
    assert "more tripped a probe, and were not computed" in verdict.message


def test_the_users_random_numbers_are_not_disturbed(large: Notebook, ask: Ask) -> None:
    import torch

    before = torch.get_rng_state()
    ask("hand", "y")
    assert torch.equal(before, torch.get_rng_state())
