"""The bundle that a report displays, its bounds, and the summary of `%twin`."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from torchtwin.kernel.report import MAX_SENT, MAX_SHOWN, MAX_WITH_VALUES, Report, bounded, summary
from torchtwin.kernel.report_model import fold, headline, outcome, place
from torchtwin.protocol import MIME_TYPE, Call, Cost, Gradients, InternalErrors, Page, Site, State, Unseen


def report(make: Any, calls: list[Call]) -> Report:
    return Report(calls, make.page(calls))


def state(**changes: Any) -> State:
    at_rest = State(True, "2.13.0", "0.1.0", 2, 0, None)
    return msgspec.structs.replace(at_rest, **changes)


def test_the_bundle_holds_text_html_and_the_page(make: Any) -> None:
    bundle = report(make, [make.exercise()])._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html", "application/vnd.torchtwin.v1+json"}
    assert msgspec.convert(bundle[MIME_TYPE], Page) == make.page([make.exercise()])


def test_the_bundle_is_json(make: Any) -> None:
    calls = [make.exercise(forward=msgspec.structs.replace(make.rounding(1.0, 1), units="inf", max_abs_diff="nan"))]
    json.dumps(report(make, calls)._repr_mimebundle_(include=None, exclude=None), allow_nan=False)


@pytest.mark.parametrize(
    ("count", "sent", "after"), [(1, 1, 0), (1_000, 1_000, 0), (1_001, 1_000, 1), (3_000, 1_000, 2_000)]
)
def test_the_page_keeps_the_newest_thousand_calls_and_says_where_it_begins(
    make: Any, count: int, sent: int, after: int
) -> None:
    page = bounded(make.page([make.exercise(id=i + 1) for i in range(count)]))
    assert [it.seq for it in page.envelopes] == list(range(count - sent + 1, count + 1))
    assert (page.after, page.upto, page.latest, MAX_SENT) == (after, count, count, 1_000)


def test_values_travel_with_the_first_hundred_calls(make: Any) -> None:
    page = bounded(make.page([make.exercise(id=i + 1) for i in range(1_500)]))
    with_values = [isinstance(it.event, Call) and it.event.values.input is not None for it in page.envelopes]
    assert with_values == [True] * MAX_WITH_VALUES + [False] * (MAX_SENT - MAX_WITH_VALUES)
    assert MAX_WITH_VALUES == 100


def test_other_events_of_the_page_are_kept(make: Any) -> None:
    page = make.page([make.exercise(id=i + 1) for i in range(1_500)])
    with_state = msgspec.structs.replace(page, envelopes=[*page.envelopes, make.envelope(1_501, state())], upto=1_501)
    assert bounded(with_state).envelopes[-1].event == state()


def test_fifty_are_shown_and_the_rest_is_counted(make: Any) -> None:
    calls = [make.exercise(id=i, name=f"fc{i}") for i in range(60)] + [make.failed()]
    bundle = report(make, calls)._repr_mimebundle_()
    for shown in (bundle["text/plain"], bundle["text/html"]):
        assert "and 11 calls more: 11 agree" in shown
        assert "fc48" in shown  # with the failed call, the fiftieth
        assert "fc49" not in shown
    assert MAX_SHOWN == 50


def test_passes_of_a_loop_over_two_layers_fold_to_two(make: Any) -> None:
    calls = [call for i in range(500) for call in (make.exercise(id=2 * i), make.encoder(id=2 * i + 1))]
    assert [(it.shown.name, len(it.calls)) for it in fold(calls)] == [("fc", 500), ("encoder.layers[0].linear1", 500)]


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "fc2"},
        {"site": Site(cell_id="layer", execution_count=2, line=10)},
        {"site": Site(cell_id="layer", execution_count=3, line=9, source="fc_out = fc(x)")},
        {"expression": "x @ w.T"},
        {"gradients": Gradients()},
    ],
)
def test_calls_that_are_not_alike_do_not_fold(make: Any, changes: dict[str, Any]) -> None:
    assert len(fold([make.exercise(), make.exercise(id=2)])) == 1
    assert len(fold([make.exercise(), make.exercise(id=2, **changes)])) == 2


def test_a_last_smaller_batch_does_not_fold(make: Any) -> None:
    smaller = make.encoder()
    rows = msgspec.structs.replace(smaller.operands, input=make.operand("src", 3, 64, 256))
    assert len(fold([make.encoder(), msgspec.structs.replace(smaller, operands=rows)])) == 2


def test_a_fold_tells_its_largest_difference(make: Any) -> None:
    calls = [
        make.encoder(id=i, forward=make.rounding(units, ulp)) for i, (units, ulp) in enumerate([(1, 1), (3, 7), (2, 2)])
    ]
    [line] = fold(calls)[0].lines()
    assert line.detail == ("3 of 24 elements differ, by at most 7 ULP, 0.5 of what rounding can do (the largest of 3)")


@pytest.mark.parametrize(
    ("passes", "told"),
    [
        ([2, 2], "holds 2 backward passes"),
        (
            [2, 3, 4],
            "in the last call that was checked: holds 4 backward passes; the panel shows what was noted of each",
        ),
        (
            [2, 4, 3],
            "in the last call that was checked: holds 3 backward passes; the panel shows what was noted of each",
        ),
        ([2, 3, 0], "in one of the calls: holds 3 backward passes; the panel shows what was noted of each"),
    ],
)
def test_a_fold_tells_one_note_and_of_which_call_it_is_where_there_are_several(
    make: Any, passes: list[int], told: str
) -> None:
    def noted(passes: int) -> Call:
        note = f"holds {passes} backward passes" if passes else None
        verdict = msgspec.structs.replace(make.exercise().forward, note=note)
        return make.exercise(forward=verdict)  # type: ignore[no-any-return]

    line = next(fold([noted(it) for it in passes])[0].lines())
    assert line.remarks == (told,)


OVER = "over the budget of 3 % of the running time"


def counted(make: Any, **changes: Any) -> Call:
    """A call like another, that was only counted."""
    verdict = make.unchecked(OVER)
    return make.exercise(forward=verdict, gradients=Gradients(verdict, verdict, verdict), **changes)  # type: ignore[no-any-return]


def test_calls_that_were_not_checked_are_told_with_those_of_their_layer_that_were(make: Any) -> None:
    calls = [make.exercise(), *(counted(make) for _ in range(7)), make.exercise(), counted(make)]
    [one] = fold(calls)
    assert len(one.calls) == 10
    output, weight, bias, input = one.lines()
    assert output.remarks == (
        "these are the verdicts of 2 of the 10 calls; the others were not checked: "
        f"{OVER}. `%twin mode every` checks each call.",
    )
    assert [it.verdict.kind for it in (output, weight, bias, input)] == [
        "identical",
        "identical",
        "identical",
        "unchecked",
    ]
    assert input.detail == "`x` does not require grad"  # and not the reason of the others


def test_a_counted_call_that_came_first_is_told_so_too(make: Any) -> None:
    [one] = fold([counted(make), make.exercise()])
    assert one.shown.forward.kind == "identical"


def test_they_are_told_with_those_that_agree_where_others_differ(make: Any) -> None:
    wrong = make.exercise(forward=make.wrong().forward)
    first, second = fold([wrong, wrong, counted(make), make.exercise()])
    assert (outcome(first.shown), len(first.calls)) == ("differs", 2)
    assert (outcome(second.shown), len(second.calls)) == ("agrees", 2)


def test_a_layer_of_which_no_call_was_checked_says_why(make: Any) -> None:
    [one] = fold([counted(make), counted(make)])
    line = next(one.lines())
    assert (line.detail, line.remarks) == (OVER, ())


@pytest.mark.parametrize("name", ["fc2", "fc3"])
def test_unchecked_calls_of_another_layer_stay_apart(make: Any, name: str) -> None:
    assert len(fold([make.exercise(), counted(make, name=name)])) == 2


def test_a_gradient_that_differs_is_never_told_as_not_checked(make: Any) -> None:
    alone = make.exercise(forward=make.unchecked("large"), gradients=Gradients(weight=make.wrong().forward))
    agrees = make.exercise(forward=make.unchecked("large"), gradients=Gradients(weight=make.exercise().forward))
    assert [len(it.calls) for it in fold([make.exercise(), alone])] == [1, 1]
    assert [len(it.calls) for it in fold([make.exercise(), agrees])] == [1, 1]


def test_a_call_that_failed_is_never_told_as_not_checked(make: Any) -> None:
    failed = counted(make, error=make.failed().error)
    assert [outcome(it.shown) for it in fold([make.exercise(), failed])] == ["failed", "agrees"]


def test_the_reasons_for_which_calls_were_not_checked_are_all_told(make: Any) -> None:
    other = make.exercise(forward=make.unchecked("`x` was changed"), gradients=Gradients())
    [one] = fold([make.exercise(), counted(make), other])
    assert f"not checked: {OVER} or `x` was changed." in next(one.lines()).remarks[0]


def test_failed_calls_come_first_then_those_that_differ(make: Any) -> None:
    assert [it.shown.id for it in fold([make.exercise(), make.encoder(), make.wrong(), make.failed()])] == [3, 4, 1, 2]


def test_one_different_gradient_makes_a_call_differ(make: Any) -> None:
    gradients = Gradients(weight=make.wrong().forward)
    assert outcome(make.exercise(gradients=gradients)) == "differs"
    assert outcome(make.exercise(forward=make.unchecked("large"), gradients=gradients)) == "differs"
    assert outcome(make.exercise(forward=make.unchecked("large"))) == "unchecked"
    assert outcome(make.failed()) == "failed"
    assert outcome(make.encoder()) == "agrees"


def test_the_headline_counts_and_agrees_in_number(make: Any) -> None:
    assert headline([make.exercise(), make.encoder()]) == "2 calls: 2 agree"
    assert headline([make.wrong()]) == "1 call: 1 differs"
    assert headline(make.mixed()) == "1,003 calls: 1 failed, 1 differs, 1,001 agree"
    assert headline([]) == "no calls of nn.Linear were recorded"


@pytest.mark.parametrize(
    ("site", "text"),
    [
        (Site(cell_id="a", execution_count=2, line=9), "cell [2], line 9"),
        (Site(cell_id="a", line=9), "cell, line 9"),
        (Site(execution_count=2), "cell [2]"),
        (Site(file="model.py", line=41, execution_count=2), "model.py, line 41"),
        (Site(), ""),
    ],
)
def test_a_place_is_told_as_far_as_it_is_known(site: Site, text: str) -> None:
    assert place(site) == text


def test_the_summary_tells_state_counts_and_words(make: Any) -> None:
    assert summary(state(), [make.exercise(), make.failed()]).splitlines() == [
        "Torchtwin 0.1.0: watching, torch 2.13.0",
        "2 calls: 1 failed, 1 agrees",
        "mode auto: as many calls are checked as 3 % of the running time allow",
        "%twin on | off | mode auto|every|shapes | clear | report | here",
    ]


def test_the_summary_before_torch_and_before_any_call() -> None:
    assert summary(state(watching=False, torch=None, calls=0), []).splitlines()[:2] == [
        "Torchtwin 0.1.0: off, torch is not imported yet",
        "0 calls",
    ]


def test_the_summary_counts_what_fell_off(make: Any) -> None:
    lines = summary(state(calls=20_002, dropped=20_000), [make.exercise(), make.encoder()]).splitlines()
    assert lines[1] == "20,002 calls, the oldest 20,000 no longer kept; of the others: 2 agree"


@pytest.mark.parametrize(
    ("mode", "cost", "told"),
    [
        ("every", None, "every call is checked"),
        ("shapes", Cost(0.5, 20.0), "calls are recorded, none is checked; took 0.5 s beside 20 s of yours"),
        (
            "auto",
            Cost(0.0123, 2.0),
            "as many calls are checked as 5 % of the running time allow; took 0.012 s beside 2 s of yours",
        ),
    ],
)
def test_the_summary_tells_the_mode_and_what_it_took(mode: str, cost: Cost | None, told: str) -> None:
    assert summary(state(mode=mode, cost=cost, budget=0.05), []).splitlines()[2] == f"mode {mode}: {told}"


def test_the_summary_counts_calls_that_were_not_told_whole(make: Any) -> None:
    lines = summary(state(calls=1_001), [make.exercise()], alike=1_000).splitlines()
    assert lines[1] == "1,001 calls: 1 agrees, 1,000 unchecked"


def test_the_summary_tells_what_runs_unseen() -> None:
    unseen = [Unseen("compiled", "`fast`", None, "Layers of `fast` run compiled: not seen.")]
    assert summary(state(unseen=unseen), []).splitlines()[3] == "  unseen: Layers of `fast` run compiled: not seen."


def test_the_summary_owns_up_to_faults() -> None:
    errors = InternalErrors(2, "Traceback (most recent call last):\n  ...\nValueError: \x1b[2J oh\n")
    lines = summary(state(internal_errors=errors), []).splitlines()
    assert lines[3] == "2 faults of Torchtwin's own, kept away from your code; the first: ValueError: \\x1b[2J oh"
