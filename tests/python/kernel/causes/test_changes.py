"""What may have been done to a right result, and what is done about it."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from typing import Literal

import pytest
import torch
from torch import Tensor

from torchtwin.kernel.causes.changes import Case, Change, changes, in_order
from torchtwin.kernel.proof import linear
from torchtwin.kernel.proof.enclosure import Enclosure
from torchtwin.kernel.twin import Twin

BATCH = (12, "the batch")
ELEMENTS = (36, "all elements of the output")


def place(m: int = 5, n: int = 4, dtype: torch.dtype = torch.float32) -> Enclosure:
    generator = torch.Generator().manual_seed(m * n)
    x, w = torch.randn(m, 7, generator=generator).to(dtype), torch.randn(n, 7, generator=generator).to(dtype)
    within = linear.output(Twin(x, w, None), torch.Size((m, n)))
    assert within is not None
    return within


def case(
    wrong: Tensor,
    right: Enclosure,
    of: Literal["output", "gradient"] = "output",
    names: tuple[str, str] = ("`hand`", "`y`"),
    is_exact: bool = True,
) -> Case:
    return Case(wrong.float(), right, *names, of=of, sums=(BATCH, ELEMENTS), is_exact=is_exact)


def holding(it: Case) -> list[Change]:
    value = it.wrong.double()
    return [change for change in changes(it, value, it.right) if bool(change.within.holds(value).all())]


def undone(change: Change, wrong: Tensor) -> Tensor:
    mended = eval(change.undo.replace("{}", "wrong"), {"wrong": wrong})
    assert isinstance(mended, Tensor)
    return mended


def test_nothing_was_done_to_what_is_right() -> None:
    right = place()
    assert holding(case(right.value, right)) == []


def test_nothing_is_tried_on_what_is_not_finite_or_empty() -> None:
    right = place()
    spoiled = replace(right, value=right.value.clone().fill_(torch.inf))
    assert list(changes(case(right.value, spoiled), right.value, spoiled)) == []
    empty = right.at(lambda t: t[:0])
    assert list(changes(case(empty.value, empty), empty.value, empty)) == []


def test_the_sign_is_the_first_that_is_tried() -> None:
    right = place()
    value = -right.value
    assert next(changes(case(value, right), value, right)).code == "negated"
    assert holding(case(value, right))[0].words == "{wrong} is {right} with the other sign."


@pytest.mark.parametrize("factor", [2.0, 3.0, 0.5, 1 / 3, 0.37, 1.01, 0.99, -2.5, 1e-3, 12345.0])
def test_a_factor_is_told_to_six_digits(factor: float) -> None:
    right = place()
    (change, *_) = holding(case(factor * right.value, right))
    assert change.code == "scaled"
    told = re.fullmatch(r"\{wrong\} is (\S+) times \{right\}\.", change.words)
    assert told is not None, change.words
    assert float(told[1]) == pytest.approx(factor, rel=1e-5)
    mends = re.fullmatch(r"(Divide|Multiply) by (\S+)\.", change.advice)
    assert mends is not None
    by = float(mends[2]) if mends[1] == "Multiply" else 1 / float(mends[2])
    assert by * factor == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize("factor", [1.0, 1 + 1e-6, 1 + 9e-4, 1 - 9e-4])
@pytest.mark.parametrize("is_exact", [True, False])
def test_a_factor_near_1_is_none(factor: float, is_exact: bool) -> None:
    right = place()
    found = holding(case(factor * right.value, right, is_exact=is_exact))
    assert not any("times" in change.words for change in found), found


def test_a_single_number_is_a_multiple_of_any_other_only_by_a_whole_factor() -> None:
    right = place(1, 1)
    assert holding(case(1.7 * right.value, right)) == []
    assert holding(case(4.0 * right.value, right))[0].code == "scaled"


@pytest.mark.parametrize(("factor", "is_told"), [(1 / 3, True), (1 / 17, False), (-1 / 17, False), (40.0, False)])
def test_of_one_or_two_numbers_in_bfloat16_a_factor_that_is_near_many_whole_ones_is_none(
    factor: float, is_told: bool
) -> None:
    right = place(1, 2, torch.bfloat16)
    told = [change for change in holding(case(factor * right.value, right)) if change.code == "scaled"]
    assert bool(told) == is_told
    in_float32 = place(1, 2)
    assert holding(case(factor * in_float32.value, in_float32))


GRAD = "`fc.weight.grad`"
MEANINGS = [
    (1 / 12, ("`hand`", GRAD), True, "a mean over the batch (12) in place of a sum", "Multiply by 12."),
    (36.0, ("`hand`", GRAD), True, "a sum over all elements of the output (36) in place of a mean", "Divide by 36."),
    (1024.0, ("`hand`", GRAD), True, "a loss scale that was not taken back", "Divide by 1024."),
    (0.37, ("`hand`", GRAD), True, "it was clipped, as `clip_grad_norm_` does", "Compare what it was before that."),
    (1.7, ("`hand`", GRAD), True, "", "Divide by 1.7."),
    (3.0, (GRAD, "`hand`"), False, "3 backward passes accumulated", "Call `zero_grad()` before each backward; or, "),
]


@pytest.mark.parametrize(("factor", "names", "is_exact", "meaning", "advice"), MEANINGS)
def test_factors_of_gradients_are_told_with_what_they_come_from(
    factor: float, names: tuple[str, str], is_exact: bool, meaning: str, advice: str
) -> None:
    right = place()
    (change, *_) = holding(case(factor * right.value, right, "gradient", names, is_exact))
    assert change.words.startswith("{wrong} is ")
    assert change.words.endswith(f" times {{right}}{': ' * bool(meaning)}{meaning}.")
    assert change.advice.startswith(advice)


@pytest.mark.parametrize(
    ("factor", "names", "words"),
    [
        (1 / 0.37, ("`hand`", GRAD), "{right} is 0.37 times {wrong}: it was clipped"),
        (1 / 0.37, ("`a`", "`b`"), "{right} is 0.37 times {wrong}: it was clipped"),
        (1 / 3, ("`hand`", GRAD), "{right} is 3 times {wrong}: 3 backward passes accumulated"),
        (1 / 1024, ("`hand`", GRAD), "{right} is 1024 times {wrong}: a loss scale that was not taken back"),
        (0.37, (GRAD, "`hand`"), "{wrong} is 0.37 times {right}: it was clipped"),
        (0.37, (GRAD, GRAD), "{wrong} is 0.37 times {right}: it was clipped"),
    ],
)
def test_where_no_side_is_known_to_be_right_it_is_the_grad_that_something_was_done_to(
    factor: float, names: tuple[str, str], words: str
) -> None:
    right = place()
    (change, *_) = holding(case(factor * right.value, right, "gradient", names, is_exact=False))
    assert change.words.startswith(words)


def test_an_unknown_gradient_that_is_a_part_of_another_is_not_only_to_be_multiplied() -> None:
    right = place()
    (change, *_) = holding(case(right.value / 4, right, "gradient", is_exact=False))
    assert change.advice == "Multiply by 4; or divide `y` by 4, where it holds 4 backward passes."


@pytest.mark.parametrize("n", [4, 10, 1000])
@pytest.mark.parametrize("power", [1.0, 0.5])
def test_the_n_of_a_variance_is_told(n: int, power: float) -> None:
    right = place()
    factor = (n / (n - 1)) ** power
    words = holding(case(factor * right.value, right, is_exact=False))[0].words
    assert f"{'the root of ' * (power < 1)}n / (n - 1) with n = {n:,}, as where one variance" in words
    words = holding(case(right.value / factor, right, is_exact=False))[0].words
    assert f"(n - 1) / n with n = {n:,}, as where" in words
    assert all("variance" not in change.words for change in holding(case(factor * right.value, right)))
    not_whole = (n + 0.5) / (n - 0.5) if n < 1000 else 1.1234
    assert "variance" not in holding(case(not_whole * right.value, right, is_exact=False))[0].words


@pytest.mark.parametrize("shape", [(3, 4), (4, 4), (2, 3, 4), (3, 3, 2), (2, 3, 2, 5), (2, 2, 2, 2)])
def test_every_order_of_the_dimensions_is_undone_by_what_is_advised(shape: tuple[int, ...]) -> None:
    values = torch.arange(float(torch.Size(shape).numel())) * 1.5 - 7
    flat = linear.output(Twin(values.reshape(1, -1), torch.eye(values.numel()), None), torch.Size((1, values.numel())))
    assert flat is not None
    right = flat.at(lambda t: t.reshape(shape))
    for dims in itertools.permutations(range(len(shape))):
        if list(dims) == sorted(dims):
            continue
        before = [shape[dims.index(d)] for d in range(len(shape))]
        for wrong in (right.value.permute(dims).reshape(shape), right.value.reshape(before).permute(dims)):
            if not torch.equal(wrong, right.value):
                (change, *_) = [it for it in holding(case(wrong, right)) if it.code == "permuted"]
                assert torch.equal(undone(change, wrong), right.value), (dims, change)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.flip(0), "The rows of {wrong} are those of {right} in reverse."),
        (lambda t: t.flip(1), "The columns of {wrong} are those of {right} in reverse."),
        (lambda t: t.roll(2, 0), "The rows of {wrong} are those of {right}, rolled by 2."),
        (lambda t: t.roll(-1, 1), "The columns of {wrong} are those of {right}, rolled by 3."),
        (
            lambda t: t[[1, 2, 0, 3, 4]],
            "3 of 5 rows of {wrong} are those of {right} in another order: [1, 2, 0, 3, 4].",
        ),
        (
            lambda t: t[:, [2, 0, 1, 3]],
            "3 of 4 columns of {wrong} are those of {right} in another order: [2, 0, 1, 3].",
        ),
    ],
)
def test_another_order_of_rows_or_columns_is_told_and_undone(change: object, words: str) -> None:
    assert callable(change)
    right = place()
    wrong = change(right.value)
    (found, *_) = holding(case(wrong, right))
    assert (found.code, found.words) == ("permuted", words)
    assert torch.equal(undone(found, wrong), right.value)


def test_of_many_slices_the_order_is_cut_short_and_nothing_is_advised() -> None:
    right = place(30, 4)
    order = torch.randperm(30, generator=torch.Generator().manual_seed(3))
    (found, *_) = holding(case(right.value[order], right))
    assert found.words.endswith(f"[{', '.join(map(str, order[:8].tolist()))}, ...].")
    assert (found.undo, found.advice) == ("", "")


@pytest.mark.parametrize(
    ("dims", "method"),
    [
        ([1, 0], ".T"),
        ([1, 0, 2], ".transpose(0, 1)"),
        ([2, 1, 0], ".transpose(0, 2)"),
        ([1, 2, 0], ".permute(1, 2, 0)"),
    ],
)
def test_an_order_is_written_in_the_shortest_way(dims: list[int], method: str) -> None:
    assert in_order(dims) == method
    values = torch.randn([3, 4, 5][: len(dims)])
    assert torch.equal(eval(f"values{method}", {"values": values}), values.permute(dims))


def test_rounded_digits_are_told_where_they_are_those_of_the_right_result() -> None:
    right = place()
    wrong = (right.value * 1000).round() / 1000
    (found, *_) = [it for it in holding(Case(wrong, right, "`typed`", "`y`")) if it.code == "lower_precision"]
    assert found.words == "{wrong} is {right} rounded to 3 decimals."
    off = wrong.clone()
    off[2, 2] += 0.001
    assert holding(Case(off, right, "`typed`", "`y`")) == []
    one = wrong.clone()
    one[0, 0] += 0.0004
    of_one = replace(right, value=one)  # which has three decimals but there: then that one is wrong
    assert holding(Case(wrong, of_one, "`typed`", "`y`")) == []


def test_a_relu_is_told_for_outputs_alone() -> None:
    right = place()
    after = right.value.relu()
    assert [it.words for it in holding(case(after, right))] == ["{wrong} is {right} after a ReLU."]
    assert holding(case(after, right, "gradient")) == []
    of_relu = replace(right, value=after)
    (found,) = holding(case(right.value, of_relu))
    assert (found.code, found.words) == ("partial", "{wrong} is {right} before its ReLU.")
    assert torch.equal(undone(found, right.value), after)
    other = right.value.clone()
    other[right.value.argmax() // 4, right.value.argmax() % 4] = -1.0
    assert holding(case(other, of_relu)) == []
    dead = replace(right, value=torch.zeros_like(after))
    assert holding(case(-right.value.abs(), dead)) == []  # which says nothing of a ReLU


def test_a_zero_beside_a_tiny_number_is_not_called_rounded() -> None:
    tiny = torch.tensor([-1.6e-9], dtype=torch.float64)
    exact = place()
    right = replace(exact.at(lambda t: t[0, :1]), value=tiny, limit=1e-16 + 0 * tiny, scale=tiny.abs())
    assert [it.code for it in holding(case(torch.zeros(1), right))] == []
    half = replace(right, value=torch.tensor([0.50001], dtype=torch.float64))
    assert "lower_precision" in [it.code for it in holding(case(torch.tensor([0.5]), half))]


@pytest.mark.parametrize("low", [torch.bfloat16, torch.float16])
def test_a_result_that_was_rounded_to_a_lower_precision_is_told_with_its_zeros(low: torch.dtype) -> None:
    right = place()
    rectified = replace(right, value=right.value.clamp(min=0))
    name = str(low).removeprefix("torch.")
    words = [it.words for it in holding(case(rectified.value.to(low), rectified))]
    assert f"{{wrong}} is {{right}} rounded to {name}." in words
