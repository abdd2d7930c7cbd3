"""Verdicts on given values, their figures computed again in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from torchtwin.kernel.proof.bounds import arithmetic, exact_product
from torchtwin.kernel.proof.enclosure import enclosure
from torchtwin.kernel.proof.judge import judge
from torchtwin.protocol import Verdict

ONE = torch.ones(1, 1)


def verdict(layer: Tensor, formula: Tensor, x: Tensor, w: Tensor, b: Tensor | None = None) -> Verdict:
    return judge(layer, formula, enclosure(exact_product(x, w, b), arithmetic(layer.dtype, layer.device)))


def honest_pair() -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """A product summed in two halves, and in one go."""
    torch.manual_seed(0)
    x, w, b = torch.randn(9, 1000), torch.randn(7, 1000), torch.randn(7)
    halves = x[:, :500] @ w[:, :500].T + x[:, 500:] @ w[:, 500:].T + b
    return halves, x @ w.T + b, x, w, b


def test_rounding_is_counted_as_numpy_counts_it() -> None:
    pair = honest_pair()
    found = verdict(*pair)
    layer, formula, x, w, b = (t.numpy() for t in pair)
    assert found.kind == "rounding"
    assert found.equal_elements == int((layer == formula).sum())
    difference = np.abs(layer.astype(np.float64) - formula.astype(np.float64))
    assert found.max_abs_diff == difference.max()
    scale = np.abs(x).astype(np.float64) @ np.abs(w).astype(np.float64).T + np.abs(b)
    assert found.units == pytest.approx((difference / (2.0**-24 * scale)).max(), rel=1e-9)
    assert found.bound == pytest.approx(2 * 1001 / (1 - 1001 * 2.0**-24), rel=1e-5)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("steps", [1, 2, 7])
@pytest.mark.parametrize("start", [1.0, -1.5, 0.0])
def test_ulp_are_steps_to_the_next_number(dtype: torch.dtype, steps: int, start: float) -> None:
    value = torch.full((1, 1), start, dtype=dtype)
    moved = value
    for _ in range(steps):
        moved = torch.nextafter(moved, torch.full_like(moved, 100.0))
    assert verdict(moved, value, value, torch.ones(1, 1, dtype=dtype)).max_ulp_diff == steps


def test_ulp_are_counted_through_zero() -> None:
    tiny = torch.tensor([[2.0**-149]])
    assert verdict(tiny, -tiny, tiny, ONE).max_ulp_diff == 2


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("terms", [1, 2, 64, 1000])
def test_the_bound_divides_rounding_from_different(dtype: torch.dtype, terms: int) -> None:
    """Ones times ones: the scale is K. An error of half the bound is rounding, of four times the bound is not."""
    x, w = torch.ones(1, terms, dtype=dtype), torch.ones(1, terms, dtype=dtype)
    unit = {torch.float64: 2.0**-53, torch.float32: 2.0**-24, torch.float16: 2.0**-11, torch.bfloat16: 2.0**-8}[dtype]
    low = dtype in (torch.float16, torch.bfloat16)
    bound = (unit + (terms + 1) * 2.0**-24) * terms if low else (terms + 1) * unit * terms
    exact = torch.full((1, 1), float(terms), dtype=dtype)
    for factor, kind in ((4.0, "different"), (-4.0, "different"), (0.5, "rounding")):
        moved = (exact.double() + factor * bound).to(dtype)
        if moved != exact:
            assert verdict(moved, exact, x, w).kind == kind, factor


def test_one_wrong_element_among_many_is_found_and_placed() -> None:
    layer, formula, x, w, b = honest_pair()
    layer[3, 5] += 1.0
    found = verdict(layer, formula, x, w, b)
    assert found.kind == "different"
    assert "1 of 63 elements lies outside" in found.message
    assert "first [3, 5]" in found.message
    assert found.outside == [3 * 7 + 5]
    assert found.diagnosis is not None
    assert found.diagnosis.code == "unexplained"


def test_the_places_told_are_bounded() -> None:
    layer, x, w = torch.ones(20, 20), torch.zeros(20, 2), torch.zeros(20, 2)
    assert verdict(layer, torch.zeros(20, 20), x, w).outside == list(range(256))


def test_only_what_is_different_has_places() -> None:
    layer, formula, x, w, b = honest_pair()
    assert verdict(layer, formula, x, w, b).outside is None


def test_the_place_is_given_in_the_layers_own_shape() -> None:
    x, w = torch.ones(6, 2), torch.ones(4, 2)
    layer = (x @ w.T).reshape(2, 3, 4)
    layer[1, 2, 3] = 7.0
    assert "first [1, 2, 3]" in verdict(layer, x @ w.T, x, w).message


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), float("-inf")])
def test_a_non_finite_element_on_one_side_is_diagnosed(wrong: float) -> None:
    layer = torch.tensor([[wrong]])
    found = verdict(layer, ONE, ONE, ONE)
    assert found.kind == "different"
    assert found.diagnosis is not None
    assert found.diagnosis.code == "nonfinite"
    assert found.max_abs_diff == ("nan" if wrong != wrong else "inf")


def test_a_finite_number_where_the_exact_result_is_infinite_is_different() -> None:
    infinite = torch.tensor([[float("inf")]])
    assert verdict(ONE, infinite, infinite, ONE).kind == "different"


def test_the_other_infinity_is_different() -> None:
    infinite = torch.tensor([[float("inf")]])
    assert verdict(-infinite, infinite, infinite, ONE).kind == "different"


def test_nan_equals_nan_and_is_noted() -> None:
    nan = torch.tensor([[float("nan")]])
    other = torch.tensor([[0x7FC00001]], dtype=torch.int32).view(torch.float32)
    found = verdict(nan, other, nan, ONE)
    assert (found.kind, found.note) == ("identical", "NaN counts as equal to NaN")


def test_zeros_of_both_signs_are_equal_and_noted() -> None:
    zero = torch.zeros(1, 1)
    found = verdict(zero, -zero, zero, zero)
    assert (found.kind, found.note) == ("identical", "0.0 and -0.0 count as equal")


def test_an_overflow_on_one_way_alone_is_honest() -> None:
    """60000 + 30000 passes 65504, the largest half; minus 30000 it comes back."""
    half = torch.half
    x, w = torch.ones(1, 2, dtype=half), torch.tensor([[60000.0, 30000.0]], dtype=half)
    b = torch.tensor([-30000.0], dtype=half)
    finite, infinite = torch.tensor([[60000.0]], dtype=half), torch.tensor([[float("inf")]], dtype=half)
    assert verdict(finite, infinite, x, w, b).kind == "rounding"
    assert verdict(infinite, finite, x, w, b).kind == "rounding"


def test_an_overflow_that_nothing_explains_is_different() -> None:
    assert verdict(torch.tensor([[float("inf")]]), ONE * 3e38, ONE * 3e38, ONE).kind == "different"


def test_the_same_lower_precision_on_both_sides_is_remarked() -> None:
    torch.manual_seed(0)
    x, w = torch.randn(4, 64), torch.randn(4, 64)
    detour = (x.bfloat16() @ w.bfloat16().T).float()
    found = verdict(detour, detour.clone(), x, w)
    assert found.kind == "identical"
    assert found.note is not None
    assert "a lower precision was used" in found.note


def test_a_lower_precision_on_one_side_is_different() -> None:
    torch.manual_seed(0)
    x, w = torch.randn(4, 64), torch.randn(4, 64)
    assert verdict((x.bfloat16() @ w.bfloat16().T).float(), x @ w.T, x, w).kind == "different"


@pytest.mark.parametrize("setting", ["legacy", "backend"])
def test_reduced_matmul_precision_widens_the_bound(setting: str) -> None:
    torch.manual_seed(0)
    x, w = torch.randn(4, 64), torch.randn(4, 64)
    detour, full = (x.bfloat16() @ w.bfloat16().T).float(), x @ w.T
    try:
        if setting == "legacy":
            torch.set_float32_matmul_precision("medium")
        else:
            torch.backends.mkldnn.matmul.fp32_precision = "bf16"  # type: ignore[attr-defined]
        assert verdict(detour, full, x, w).kind == "rounding"
    finally:
        torch.backends.mkldnn.matmul.fp32_precision = "ieee"  # type: ignore[attr-defined]
        torch.set_float32_matmul_precision("highest")


def test_empty_results_are_identical() -> None:
    empty = torch.zeros(0, 3)
    found = verdict(empty, empty.clone(), torch.zeros(0, 2), torch.zeros(3, 2))
    assert (found.kind, found.elements, found.equal_elements) == ("identical", 0, 0)
    assert found.message == "identical: both are empty"


def test_of_two_dtypes_the_distance_is_told_in_the_less_precise_one() -> None:
    x, w = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)), torch.eye(3)
    within = enclosure(exact_product(x, w, None), arithmetic(torch.bfloat16, x.device))
    rounded = judge(x.bfloat16(), x, within)
    assert rounded.kind == "rounding"
    assert rounded.message.startswith(
        "rounding only: 12 of 12 elements differ, none of them once both are rounded to bfloat16, "
    )
    further = judge(x.bfloat16(), x * (1 + 2**-8), within)
    assert (further.kind, further.max_ulp_diff) == ("rounding", 1)
    assert ", by at most 1 ULP of bfloat16, " in further.message
