"""What is said of two shapes, with a comparison of our own that knows only whether values are close."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from torchtwin.kernel.comparing import shapes
from torchtwin.kernel.comparing.sides import Side
from torchtwin.protocol import Diagnosis, Verdict


def side(value: Tensor, words: str) -> Side:
    return Side(words, value, value)


def close(a: Side, b: Side) -> Verdict:
    assert a.value.shape == b.value.shape
    same = torch.allclose(a.value, b.value, rtol=1e-4, atol=1e-5)
    return Verdict(kind="rounding" if same else "different", message="as they are")


def told(a: Tensor, b: Tensor, recorded: str = "") -> str:
    verdict = shapes.other_shapes(side(a, "a"), side(b, "b"), close, lambda it: it.words == recorded)
    assert (verdict.kind, verdict.coverage, verdict.elements) == ("different", "all", a.numel())
    assert verdict.diagnosis is not None
    assert verdict.diagnosis.code == "shape"
    return verdict.diagnosis.message


X = torch.randn(5, 3, 4, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        (X, X.transpose(0, 1), "With the dimensions in another order they agree: write `a.transpose(0, 1)`."),
        (X, X.permute(2, 0, 1), "With the dimensions in another order they agree: write `a.permute(2, 0, 1)`."),
        (X[0], X[0].T, "Transposed they agree: write `a.T`."),
        (X, X.reshape(15, 4), "As for the values, they are as they are. Write `a.reshape(15, 4)`."),
        (X[:, :1], X[:, 0], "Write `a.reshape(5, 4)`."),
        (X[:, 0, :1], X[:, 0, :1].T, "Write `a.reshape(1, 5)`."),
        (X.reshape(5, 12), X.reshape(3, 20) + 1, "Of one shape, as `a.reshape(3, 20)`, they are as they are."),
        (X, X.sum(0), "Summed over its first dimension, `a` agrees: write `a.sum(0)`."),
        (X, X.mean(0), "Averaged over its first dimension, `a` agrees: write `a.mean(0)`."),
        (X, X.sum((0, 1)), "Summed over its first 2 dimensions, `a` agrees: write `a.sum((0, 1))`."),
        (X, X.sum(0, keepdim=True), "write `a.sum(0, keepdim=True)`."),
        (X, X.sum(), "Summed over all of it, `a` agrees: write `a.sum()`."),
        (X, X.mean(), "Averaged over all of it, `a` agrees: write `a.mean()`."),
        (X, X.sum(0) + 1, "`a` has 60 elements, `b` 12."),
        (X, X.sum(1), "`a` has 60 elements, `b` 20."),
        (X.long(), X.long().sum(0), "`a` has 60 elements, `b` 12."),
    ],
)
def test_what_makes_them_agree_is_told_and_does(a: Tensor, b: Tensor, words: str) -> None:
    message = told(a, b)
    assert message.endswith(words)
    if "rite `" in message:
        code = message.split("rite `")[1].removesuffix("`.")
        torch.testing.assert_close(eval(code, {"a": a, "b": b}), b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("recorded", "written"), [("", "a.T"), ("a", "b.T"), ("b", "a.T")])
def test_the_side_to_be_written_otherwise_is_not_the_recorded_one(recorded: str, written: str) -> None:
    assert told(X[0], X[0].T, recorded).endswith(f"write `{written}`.")


def test_a_sum_can_only_be_of_the_larger_side() -> None:
    for recorded in ("", "a", "b"):
        assert told(X.sum(0), X, recorded).endswith("`b` agrees: write `b.sum(0)`.")


def test_the_shortest_order_is_told_where_several_agree() -> None:
    alike = torch.ones(2, 2, 3)
    assert told(alike, torch.ones(2, 3, 2)).endswith("write `a.transpose(1, 2)`.")


def test_a_cause_that_is_found_once_they_are_of_one_shape_is_told() -> None:
    def explaining(a: Side, b: Side) -> Verdict:
        return Verdict(kind="different", message="off", diagnosis=Diagnosis("missing_bias", f"`{a.words}` lacks it."))

    verdict = shapes.other_shapes(side(X[0], "a"), side(X[0].T + 1, "b"), explaining)
    assert verdict.diagnosis is not None
    assert verdict.diagnosis.message.endswith("`a.T` lacks it.")


def test_words_that_are_no_code_are_no_part_of_any() -> None:
    gradient = Side("the first gradient of `w`", X[0], X[0])
    verdict = shapes.other_shapes(gradient, side(X[0].T, "b"), close)
    assert verdict.diagnosis is not None
    assert verdict.diagnosis.message.endswith("Transposed they agree: write the first gradient of `w` with `.T`.")


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        ((4, 1), (4,), "(4, 1) met (4,): `==` and `-` broadcast both to (4, 4), every element against every other."),
        ((3, 4), (4,), "(3, 4) met (4,): `==` and `-` broadcast the smaller to (3, 4)."),
        ((3, 4), (5,), "(3, 4) met (5,): the two don't broadcast."),
    ],
)
def test_what_broadcasting_would_have_done_comes_first(a: tuple[int, ...], b: tuple[int, ...], words: str) -> None:
    assert told(torch.ones(a), torch.zeros(b)).startswith(words)
