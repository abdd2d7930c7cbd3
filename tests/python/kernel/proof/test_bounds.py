"""The bound, computed again with fractions, holds for every order of summation that is tried."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import pytest
import torch

from torchtwin.kernel.proof.bounds import allowance, arithmetic, exact_product, exact_sum, gamma

CPU = torch.device("cpu")


def test_gamma_is_n_u_over_one_minus_n_u() -> None:
    assert gamma(3, 2.0**-24) == pytest.approx(float(Fraction(3, 2**24) / (1 - Fraction(3, 2**24))), rel=1e-15)
    assert gamma(2**24, 2.0**-24) == math.inf


def test_every_order_of_summation_stays_within() -> None:
    """All 120 orders of five float32 products of very different sizes, summed one by one."""
    x = torch.tensor([[1e4, -1e-3, 3.3, -1e4, 0.7]])
    w = torch.tensor([[1.1, 7.7, -3.3, 1.1, 1e-4]])
    exact = exact_product(x, w)
    limit = Fraction(float(allowance(exact, arithmetic(torch.float32, CPU))))
    true = sum(Fraction(float(a)) * Fraction(float(b)) for a, b in zip(x[0], w[0], strict=True))
    products = x[0] * w[0]
    for order in itertools.permutations(range(5)):
        total = torch.zeros(())
        for i in order:
            total = total + products[i]
        assert abs(Fraction(float(total)) - true) <= limit


def test_the_float64_reference_is_within_its_own_part_of_the_bound() -> None:
    torch.manual_seed(0)
    x, w = torch.randn(3, 50, dtype=torch.float64), torch.randn(2, 50, dtype=torch.float64)
    exact = exact_product(x, w)
    limit = allowance(exact, arithmetic(torch.float64, CPU))
    for i, j in itertools.product(range(3), range(2)):
        true = sum(Fraction(float(a)) * Fraction(float(b)) for a, b in zip(x[i], w[j], strict=True))
        assert abs(Fraction(float(exact.value[i, j])) - true) <= Fraction(float(limit[i, j])) / 2


def test_a_bias_counts_as_one_more_term() -> None:
    x, w, b = torch.ones(1, 2), torch.ones(1, 2), torch.ones(1)
    limit = float(allowance(exact_product(x, w, b), arithmetic(torch.float32, CPU)))
    assert limit == pytest.approx(3 * 2.0**-24 * 3, rel=1e-5)  # g(K + 1) (|x||w| + |b|)


@pytest.mark.parametrize("shape", [(3,), (1, 3), (1,), (2, 3)])
def test_a_sum_goes_to_the_shape_of_the_bias(shape: tuple[int, ...]) -> None:
    terms = torch.arange(6.0).reshape(2, 3)
    exact = exact_sum(terms, torch.Size(shape))
    assert exact.value.shape == shape
    assert float(exact.value.sum()) == 15.0
    assert exact.terms == 6 // math.prod(shape)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_flushed_subnormals_are_allowed_for_only_where_they_are_flushed(dtype: torch.dtype) -> None:
    tiny = torch.full((1, 1), float(torch.finfo(dtype).smallest_normal), dtype=dtype)
    exact = exact_product(tiny, torch.full((1, 1), 0.5, dtype=dtype))
    kept = float(allowance(exact, arithmetic(dtype, CPU)))
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor does not flush")
    try:
        flushed = float(allowance(exact, arithmetic(dtype, CPU)))
    finally:
        torch.set_flush_denormal(False)
    assert kept < float(exact.value) <= flushed
