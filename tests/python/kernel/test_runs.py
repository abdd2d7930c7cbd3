"""Calls in short: what a run says of them, and what each is when it is told whole again."""

from __future__ import annotations

import msgspec
import pytest

from torchtwin.kernel.runs import Alike, Runs, runs
from torchtwin.protocol import (
    Call,
    GradientFormulas,
    GradientNames,
    Gradients,
    Match,
    Number,
    Operand,
    Operands,
    Run,
    Site,
    Values,
    Verdict,
    told_whole,
)

IDENTICAL = Verdict(kind="identical", message="identical")


def operand(name: str, *shape: int) -> Operand:
    return Operand(name=name, shape=list(shape), dtype="float32", device="cpu", requires_grad=False)


def call(id: int = 1, input: tuple[int, ...] = (2, 4), output: tuple[int, ...] = (2, 3)) -> Call:
    numbers: list[Number] = [1.0]
    return Call(
        id=id,
        name="fc",
        expression="x @ fc.weight.T + fc.bias",
        site=Site(line=7),
        operands=Operands(operand("x", *input), operand("w", 3, 4), operand("w.T", 4, 3), None, operand("y", *output)),
        forward=IDENTICAL,
        gradients=Gradients(weight=IDENTICAL),
        gradient_formulas=GradientFormulas("gw", None, "gx"),
        gradient_names=GradientNames("w.grad", None, "x.grad"),
        error=None,
        values=Values(input=numbers),
        time=5.0,
        matches=[Match(name="y", of="output", verdict=IDENTICAL)],
        rank=3,
    )


def like(id: int, *shape: int) -> Alike:
    return Alike(id, shape)


def one(*calls: Alike, began: float = 0.0, ended: float = 1.0, first: int = 1) -> Run:
    (run,) = runs(first, calls, began, ended, "over the budget")
    return run


def test_a_run_says_which_call_each_is_like_and_names_each_shape_once() -> None:
    a, b, c = like(1, 2, 4), like(1, 5, 4), like(2, 2, 4)
    run = one(a, b, a, c, first=10)
    assert (run.first, run.like, run.reason) == (10, [1, 1, 1, 2], "over the budget")
    assert [run.shapes[place] for place in run.shape] == [[2, 4], [5, 4], [2, 4], [2, 4]]
    assert len(run.shapes) == 2


def test_equal_calls_that_were_noted_apart_are_told_alike() -> None:
    run = one(like(1, 2, 4), like(1, 2, 4))
    assert (run.like, run.shapes, run.shape) == ([1, 1], [[2, 4]], [0, 0])


def test_more_than_a_thousand_become_several_runs_that_follow_each_other() -> None:
    made = list(runs(11, [like(1, 2, 4)] * 2500, 0.0, 2500.0, "over the budget"))
    assert [(run.first, len(run.like)) for run in made] == [(11, 1000), (1011, 1000), (2011, 500)]
    assert [(run.time, run.seconds) for run in made] == [(1.0, 999.0), (1001.0, 999.0), (2001.0, 499.0)]


def test_the_calls_of_a_run_are_spread_evenly_over_its_time() -> None:
    run = one(*[like(1, 2, 4)] * 4, began=100.0, ended=104.0)
    times = [told_whole(run, id, call()).time for id in range(1, 5)]
    assert times == pytest.approx([101.0, 102.0, 103.0, 104.0])
    assert told_whole(one(like(1, 2, 4), began=1.0, ended=3.0), 1, call()).time == 3.0


def test_told_whole_it_is_the_call_that_it_is_like_and_nothing_of_it_is_checked() -> None:
    run = one(like(1, 2, 4), first=9)
    assert told_whole(run, 9, call()) == msgspec.structs.replace(
        call(),
        id=9,
        forward=Verdict(kind="unchecked", message="not checked: over the budget", reason="over the budget"),
        gradients=Gradients(),
        values=Values(),
        matches=[],
        time=1.0,
    )


@pytest.mark.parametrize(
    ("known", "shape", "output"),
    [
        (((2, 4), (2, 3)), (5, 4), [5, 3]),
        (((2, 4), (2, 3)), (4,), [3]),
        (((4,), (3,)), (7, 8, 4), [7, 8, 3]),
        (((2, 4), (2,)), (6, 4), [6]),  # a weight of one dimension
        (((4,), ()), (6, 4), [6]),
        (((4,), (1, 3)), (4,), [1, 3]),  # a bias of (1, 3)
        (((0, 4), (0, 3)), (0, 4), [0, 3]),
    ],
)
def test_the_output_has_the_leading_sizes_of_its_input(
    known: tuple[tuple[int, ...], tuple[int, ...]], shape: tuple[int, ...], output: list[int]
) -> None:
    whole = told_whole(one(Alike(1, shape)), 1, call(1, *known))
    assert whole.operands.input is not None
    assert whole.operands.output is not None
    assert whole.operands.input.shape == list(shape)
    assert whole.operands.output.shape == output


def kept(*lengths: int) -> Runs:
    all, first = Runs(), 1
    for at, length in enumerate(lengths):
        all.add(one(*[like(100 + at, 2, 4)] * length, first=first))
        first += length + 1  # a call between, told whole
    return all


def test_the_run_of_a_call_is_found_by_its_id() -> None:
    all = kept(3, 2)
    found = [all.with_call(id) for id in range(8)]
    assert [run and run.first for run in found] == [None, 1, 1, 1, None, 5, 5, None]


def test_what_is_referred_to_is_so_until_the_last_run_of_it_has_gone() -> None:
    all = kept(3, 2)
    all.add(one(like(100, 2, 4), first=9))
    assert all.calls == 6
    assert all.drop_oldest().first == 1
    assert (all.calls, all.refer_to(100), all.refer_to(101)) == (3, True, True)
    all.drop_oldest()
    assert (all.refer_to(100), all.refer_to(101)) == (True, False)
    all.drop_oldest()
    assert (all.calls, all.refer_to(100), list(all)) == (0, False, [])


def test_cleared_runs_refer_to_nothing() -> None:
    all = kept(3, 2)
    all.clear()
    assert (all.calls, all.refer_to(100), list(all), all.with_call(1)) == (0, False, [], None)
