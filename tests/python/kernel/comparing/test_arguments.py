"""A function is called under the user's names, and where it can't be called, what it takes is told."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from torch import nn
from torch.nn import functional

from torchtwin.kernel.comparing.arguments import (
    argument_names,
    namespace,
    problem_with_arguments,
    taken,
    words_of_side,
)


class Model(nn.Module):
    def forward(self, x: object, scale: object, shift: object = None) -> object:
        return x


class Called(nn.Module):
    def forward(self, x: object) -> object:
        return x

    def __call__(self) -> object:
        return 1


class Unsigned:
    __signature__ = "none"

    def __call__(self) -> object:
        return 1


def two(x: object, w: object) -> object:
    return x


@pytest.mark.parametrize(
    ("function", "count", "problem"),
    [
        (two, 0, "`f` takes `x` and `w`: give them by `wrt=[x, w]`, or compare what it returns"),
        (two, 1, "`f` takes `x` and `w`, not the 1 of `wrt`"),
        (two, 2, None),
        (two, 3, None),
        (partial(two, 1), 0, "`f` takes an argument, `w`: give it by `wrt=[w]`, or compare what it returns"),
        (nn.Linear(2, 3), 0, "`f` takes an argument, `input`: give it by `wrt=[input]`, or compare what it returns"),
        (nn.Linear(2, 3), 1, None),
        (Model(), 0, "`f` takes `x` and `scale`: give them by `wrt=[x, scale]`, or compare what it returns"),
        (Model(), 2, None),
        (Model(), 3, None),
        (Model().forward, 0, "`f` takes `x` and `scale`: give them by `wrt=[x, scale]`, or compare what it returns"),
        (Called(), 0, None),
        (lambda: 1, 0, None),
        (lambda: 1, 3, None),
        (lambda *all: 1, 0, None),
        (lambda *all: 1, 3, None),
        (lambda x=1: 1, 0, None),
        (lambda x, *, k: 1, 1, None),
        (lambda x: 1, 2, None),
        (lambda x, **more: 1, 0, "`f` takes an argument, `x`: give it by `wrt=[x]`, or compare what it returns"),
        (Unsigned(), 0, None),
        (functional.linear, 0, None),
        (functional.linear, 3, None),
    ],
)
def test_a_function_that_can_be_called_with_neither_all_nor_none_is_told_by_what_it_takes(
    function: object, count: int, problem: str | None
) -> None:
    assert problem_with_arguments(function, "f", count) == problem  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("function", "count", "with_how_many"),
    [
        (two, 2, 2),
        (two, 3, 2),
        (two, 1, None),
        (lambda: 1, 2, 0),
        (lambda *all: 1, 0, 0),
        (lambda *all: 1, 2, 2),
        (functional.linear, 3, 3),
        (nn.Linear(2, 3), 3, 1),
        (lambda x, scale=1.0: 1, 2, 2),
        (lambda x, scale=1.0, shift=0.0: 1, 2, 2),
        (lambda x, scale=1.0: 1, 3, 1),
        (lambda scale=1.0: 1, 3, 0),
    ],
)
def test_a_function_is_called_with_all_the_tensors_or_with_as_few_of_the_first_as_it_needs(
    function: Callable[..., object], count: int, with_how_many: int | None
) -> None:
    assert taken(function, count) == with_how_many


def test_of_a_pair_each_function_has_its_own_words() -> None:
    assert [words_of_side("(fc.weight, v)", at) for at in (0, 1)] == ["fc.weight", "v"]
    assert [words_of_side("fc.weight", at) for at in (0, 1)] == ["fc.weight", "fc.weight"]


@pytest.mark.parametrize(
    ("candidates", "names"),
    [
        ([["x", "w"]], ["x", "w"]),
        ([["x", "fc.weight"]], ["x", "fc.weight"]),
        ([["x*1", "w"], ["a", "b", "c"]], ["a", "b"]),
        ([["x"], ["a", "b"]], ["a", "b"]),
        ([["x", "x"]], ["x0", "x1"]),
        ([["fc", "fc.weight"]], ["x0", "x1"]),
        ([["linear", "w"]], ["x0", "x1"]),
        ([["class", "w"]], ["x0", "x1"]),
        ([[], ["x0.if", "1x"]], ["x0", "x1"]),
    ],
)
def test_the_first_names_that_can_stand_in_the_call_are_taken(candidates: list[list[str]], names: list[str]) -> None:
    assert argument_names(candidates, "linear", 2) == names


def test_in_the_namespace_each_name_means_its_value() -> None:
    names = ["F.linear", "x", "fc.weight", "fc.bias", "net.a.b"]
    space = namespace(names, range(5))
    assert [eval(name, space) for name in names] == [0, 1, 2, 3, 4]
