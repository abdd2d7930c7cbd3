"""Numbers that a person has rounded, and numbers of a lower precision, are told from others."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
import torch
from torch import Tensor

from torchtwin.kernel.causes.digits import digits_of, rounded_to

F32, F64 = torch.float32, torch.float64


def typed(seed: int, places: int, dtype: torch.dtype = F64) -> Tensor:
    values = torch.randn(20, dtype=F64, generator=torch.Generator().manual_seed(seed)).tolist()
    rounded = [float(Decimal(v).quantize(Decimal(10) ** -places)) for v in values]
    return torch.tensor(rounded, dtype=dtype).double()


def words(values: Tensor, precision: torch.dtype | float) -> list[str]:
    return [found.words for found in digits_of(values, precision)]


@pytest.mark.parametrize("dtype", [F32, F64])
@pytest.mark.parametrize("places", [0, 1, 2, 3, 4])
def test_decimals_are_counted(dtype: torch.dtype, places: int) -> None:
    for seed in range(10):
        found = next(digits_of(typed(seed, places, dtype), dtype))
        expected = {0: "whole numbers", 1: "1 decimal"}.get(places, f"{places} decimals")
        assert found.words == expected
        assert found.half_step.tolist() == pytest.approx([0.5 * 10.0**-places] * 20)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_significant_digits_are_counted_whatever_the_sizes(count: int) -> None:
    values = [1.2345678e-9, -0.98765432, 45.678912, -6789123.4]
    rounded = torch.tensor([float(f"{v:.{count - 1}e}") for v in values], dtype=F64)
    (found,) = digits_of(rounded, F64)
    assert found.words == f"{count} significant digits"
    half = [0.5 * 10.0 ** (math.floor(math.log10(abs(v))) - count + 1) for v in rounded.tolist()]
    assert found.half_step.tolist() == pytest.approx(half)


def test_zeros_have_any_digits_and_alone_say_nothing() -> None:
    assert words(torch.tensor([0.0, 0.25, 0.0], dtype=F64), F64) == ["2 decimals", "2 significant digits"]
    assert words(torch.zeros(3, dtype=F64), F64) == []


@pytest.mark.parametrize("dtype", [F32, F64])
def test_numbers_that_were_computed_have_too_many(dtype: torch.dtype) -> None:
    for seed in range(50):
        values = torch.randn(4, dtype=dtype, generator=torch.Generator().manual_seed(seed))
        assert words(values.double(), dtype) == []


def test_what_chance_may_give_is_not_told() -> None:
    one = torch.tensor([0.123456], dtype=F32).double()
    assert words(one, F32) == []  # as about every eighth float32 of this size
    assert words(torch.tensor([0.123456], dtype=F64), F64) == ["6 decimals", "6 significant digits"]
    assert words(torch.tensor([0.1235, 0.5678], dtype=torch.bfloat16).double(), torch.bfloat16) == []


def test_one_number_among_many_that_has_more_digits_is_noticed() -> None:
    values = torch.linspace(1, 2, 101, dtype=F64).mul(100).round().div(100)
    assert words(values, F64)[0] == "2 decimals"
    values[100] += 1e-5
    assert words(values, F64)[0] == "5 decimals"


def test_it_says_something_only_of_what_is_larger_than_the_last_digit() -> None:
    (found, *_) = digits_of(torch.tensor([1.0, 2.0, 3.0], dtype=F64), F64)
    assert found.says_something_of(torch.tensor([1.2, 2.3, 0.1], dtype=F64))
    assert not found.says_something_of(torch.tensor([0.9, 0.3, 1.1], dtype=F64))


@pytest.mark.parametrize(("dtype", "unit"), [(torch.bfloat16, 2.0**-8), (torch.float16, 2.0**-11)])
def test_numbers_of_a_lower_precision_are_known(dtype: torch.dtype, unit: float) -> None:
    values = torch.randn(10, generator=torch.Generator().manual_seed(1))
    assert list(rounded_to(values.double(), F32)) == []
    low = values.to(dtype).double()
    for precision in (F32, F64):
        found = next(rounded_to(low, precision))  # bfloat16's are float16's as well
        assert found.words == str(dtype).removeprefix("torch.")
        assert bool(((values.double() - low).abs() <= found.half_step).all())
        assert bool((found.half_step <= 1.01 * unit * low.abs() + 1e-7).all())
    assert list(rounded_to(low, dtype)) == []  # no lower one
    assert list(rounded_to(low, torch.int64)) == []


def test_float32_is_a_lower_precision_of_float64_alone() -> None:
    values = torch.randn(10, generator=torch.Generator().manual_seed(1)).double()
    assert [found.words for found in rounded_to(values, F64)] == ["float32"]
    assert list(rounded_to(values, F32)) == []


def test_zeros_which_are_numbers_of_every_precision_say_nothing() -> None:
    assert list(rounded_to(torch.zeros(4, dtype=F64), F32)) == []
    (found, *_) = rounded_to(torch.tensor([0.5, 0.0, 0.0], dtype=F64), F32)
    assert not found.says_something_of(torch.tensor([0.5, 1e-42, 1e-42], dtype=F64))
