"""Where honest results lie: the arithmetic of the place itself."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from torchtwin.kernel.proof.bounds import arithmetic, exact_product
from torchtwin.kernel.proof.enclosure import Enclosure, enclosure, total

CPU = torch.device("cpu")
NAN, INF = math.nan, math.inf


def product(x: Tensor, w: Tensor, b: Tensor | None = None) -> Enclosure:
    made = enclosure(exact_product(x, w, b), arithmetic(x.dtype, CPU))
    assert made is not None
    return made


def simple(values: list[float], limit: float = 0.5, largest: float = 100.0, flushes: bool = False) -> Enclosure:
    value = torch.tensor(values, dtype=torch.float64)
    finite = value.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0).abs()
    limits = torch.full_like(value, limit)
    return Enclosure(value, limits, finite, 2.0**-24, 4.0, largest, flushes, lambda: finite, 2, finite.square)


def held(within: Enclosure, values: list[float]) -> list[bool]:
    return within.holds(torch.tensor(values, dtype=torch.float64)).tolist()


def test_what_is_within_the_limit_is_held_and_what_is_beyond_is_not() -> None:
    assert held(simple([1.0, 1.0, 1.0, 1.0]), [1.5, 0.5, 1.500001, 0.499999]) == [True, True, False, False]


def test_nan_and_infinities_are_held_only_where_they_are_the_result() -> None:
    assert held(simple([NAN, INF, -INF, 1.0, 1.0]), [NAN, INF, -INF, NAN, INF]) == [True, True, True, False, False]
    assert held(simple([INF, INF, NAN]), [-INF, 1.0, 1.0]) == [False, False, False]


def test_where_the_sum_of_sizes_passes_the_largest_number_anything_not_finite_is_held() -> None:
    assert held(simple([99.0, 99.6, 99.6, 99.6]), [INF, INF, -INF, NAN]) == [False, True, True, True]
    assert held(simple([99.6]), [90.0]) == [False]  # but not another finite number


def test_an_infinite_factor_times_a_flushed_one_may_be_nan() -> None:
    assert held(simple([INF], flushes=True), [NAN]) == [True]
    assert held(simple([INF], flushes=False), [NAN]) == [False]


def test_the_quick_question_agrees_with_the_long_one_for_finite_values() -> None:
    within = simple([1.0, 2.0])
    for values in ([1.2, 2.4], [1.2, 2.6], [1.2, NAN], [INF, 2.0]):
        as_float = torch.tensor(values)
        assert within.all_near(as_float) == all(held(within, values)), values


def test_a_part_keeps_its_place_its_limit_and_its_sizes() -> None:
    x, w = torch.arange(6.0).reshape(2, 3), torch.arange(12.0).reshape(4, 3)
    whole, part = product(x, w), product(x, w).at(lambda t: t.T[1:3])
    exact = x.numpy() @ w.numpy().T
    assert part.value.tolist() == exact.T[1:3].tolist()
    assert torch.equal(part.limit, whole.limit.T[1:3])
    assert part.scale.tolist() == exact.T[1:3].tolist()  # nothing is negative
    assert part.finite_scale().tolist() == exact.T[1:3].tolist()
    assert part.squares().tolist() == ((x.numpy() ** 2) @ (w.numpy() ** 2).T).T[1:3].tolist()
    assert (part.unit, part.largest, part.terms) == (whole.unit, whole.largest, whole.terms)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("count", [1, 2, 7])
def test_results_added_in_any_order_are_held_by_their_total(dtype: torch.dtype, count: int) -> None:
    generator = torch.Generator().manual_seed(count)
    pairs = [
        (torch.randn(3, 20, generator=generator).to(dtype), torch.randn(2, 20, generator=generator).to(dtype))
        for _ in range(count)
    ]
    within = total([product(x, w) for x, w in pairs])
    exact = sum(x.double().numpy() @ w.double().numpy().T for x, w in pairs)
    np.testing.assert_allclose(within.value.numpy(), exact, rtol=1e-13, atol=1e-13)
    computed = [x @ w.T for x, w in pairs]
    for order in range(10):
        at = torch.randperm(count, generator=torch.Generator().manual_seed(order)).tolist()
        added = computed[at[0]]
        for i in at[1:]:
            added = added + computed[i]
        assert bool(within.holds(added.double()).all())
    assert not bool(within.holds(within.value + 1.01 * within.limit).any())


def test_the_total_of_one_is_itself() -> None:
    one = product(torch.ones(2, 3), torch.ones(2, 3))
    assert torch.equal(total([one]).value, one.value)
    assert torch.allclose(total([one]).limit, one.limit, rtol=1e-6)


def test_a_total_adds_values_sizes_and_terms_and_a_rounding_for_each_addition() -> None:
    parts = [product(torch.full((1, 2), float(n)), torch.ones(1, 2)) for n in (1, 2, 3)]
    within = total(parts)
    assert within.value.tolist() == [[12.0]]
    assert within.scale.tolist() == [[12.0]]
    assert within.finite_scale().tolist() == [[12.0]]
    assert within.squares().tolist() == [[2.0 + 8.0 + 18.0]]
    assert within.terms == 6
    own = sum(float(part.limit) for part in parts)
    assert float(within.limit) == pytest.approx(own + 2 * 2.0**-24 * 12, rel=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_sums_rounded_at_each_step_are_held_by_the_wider_place_and_mostly_not_by_the_bound(dtype: torch.dtype) -> None:
    outside = 0
    for seed in range(10):
        generator = torch.Generator().manual_seed(seed)
        x, w = (torch.randn(4, 512, generator=generator).to(dtype) for _ in range(2))
        added = torch.zeros(4, 4, dtype=dtype)
        for k in range(512):
            added = added + x[:, k : k + 1] * w[:, k]
        within = product(x, w)
        outside += int((~within.holds(added.double())).sum())
        assert bool(within.with_rounded_sums().holds(added.double()).all())
    assert outside > 10


def test_the_wider_place_is_four_random_walks_wide() -> None:
    x, w = torch.ones(1, 16).bfloat16(), torch.ones(1, 16).bfloat16()
    within = product(x, w)
    added = float((within.with_rounded_sums().limit - within.limit).squeeze())
    assert added == pytest.approx(4 * math.sqrt(16) * 2.0**-8 * (16 + math.sqrt(16)))


def test_so_many_terms_that_there_is_no_bound_have_no_place() -> None:
    exact = exact_product(torch.ones(1, 2), torch.ones(1, 2))
    how = arithmetic(torch.float32, CPU)
    assert enclosure(exact, how) is not None
    object.__setattr__(exact, "terms", 2**24)
    assert enclosure(exact, how) is None
