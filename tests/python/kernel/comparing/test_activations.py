"""What is claimed of the elementwise functions, measured densely against float64, and their definitions in NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from torchtwin.kernel.comparing.activations import ACTIVATIONS, REDUCTIONS, Activation, Reduction, steps_from
from torchtwin.kernel.proof.enclosure import Enclosure

UNITS = {torch.float64: 2.0**-53, torch.float32: 2.0**-24, torch.float16: 2.0**-11, torch.bfloat16: 2.0**-8}
DENSE = np.concatenate([np.linspace(-40, 40, 60_001), np.logspace(-30, 2, 5_001), -np.logspace(-30, 2, 5_001)])


def _tanh_gelu(y: np.ndarray) -> np.ndarray:
    return 0.5 * y * (1 + np.tanh(math.sqrt(2 / math.pi) * (y + 0.044715 * y**3)))


BY_HAND: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "{}": lambda y: y,
    "torch.relu({})": lambda y: np.maximum(y, 0),
    "torch.tanh({})": np.tanh,
    "torch.sigmoid({})": lambda y: np.where(y > 0, 1 / (1 + np.exp(-abs(y))), np.exp(-abs(y)) / (1 + np.exp(-abs(y)))),
    "F.gelu({})": lambda y: 0.5 * y * np.array([math.erfc(-it / math.sqrt(2)) for it in y]),
    "F.gelu({}, approximate='tanh')": _tanh_gelu,
    "F.silu({})": lambda y: y * np.where(y > 0, 1 / (1 + np.exp(-abs(y))), np.exp(-abs(y)) / (1 + np.exp(-abs(y)))),
    "F.leaky_relu({})": lambda y: np.where(y > 0, y, 0.01 * y),
    "F.elu({})": lambda y: np.where(y > 0, y, np.expm1(np.minimum(y, 0))),
    "F.softplus({})": lambda y: np.where(y > 20, y, np.log1p(np.exp(np.minimum(y, 20)))),
    "F.relu6({})": lambda y: np.clip(y, 0, 6),
    "F.hardtanh({})": lambda y: np.clip(y, -1, 1),
}


def point(value: Tensor, limit: float = 0.0, unit: float = 2.0**-24) -> Enclosure:
    """An enclosure of given values, each with the same limit."""
    limits = torch.full_like(value, limit)
    return Enclosure(value, limits, value.abs(), unit, 2.0, 3e38, False, value.abs, 1, value.square)


def test_every_function_has_its_definition_here() -> None:
    assert [it.name for it in ACTIVATIONS] == list(BY_HAND)


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda it: it.name)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_torchs_own_result_for_an_exact_argument_is_held_densely(activation: Activation, dtype: torch.dtype) -> None:
    arguments = torch.from_numpy(DENSE).to(dtype)
    right = torch.from_numpy(BY_HAND[activation.name](arguments.double().numpy()))
    within = activation.of(point(arguments.double(), unit=UNITS[dtype]))
    tiny = float(torch.finfo(dtype).smallest_normal)
    assert bool(((within.value - right).abs() <= 1e-13 * right.abs() + 2e-15 * arguments.double().abs() + tiny).all())
    apart = (activation.apply(arguments).double() - right).abs()
    assert bool((apart <= within.limit + tiny).all())


@pytest.mark.parametrize("activation", [it for it in ACTIVATIONS if not it.exact], ids=lambda it: it.name)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_the_claimed_accuracy_is_not_more_than_sixteen_units_of_the_larger(
    activation: Activation, dtype: torch.dtype
) -> None:
    arguments = torch.from_numpy(DENSE).to(dtype).double()
    limit = activation.of(point(arguments, unit=UNITS[dtype])).limit
    largest = torch.maximum(activation.apply(arguments).abs(), arguments.abs().clamp(max=4.0))
    assert bool((limit <= 16.001 * UNITS[dtype] * largest).all())


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda it: it.name)
def test_no_slope_is_steeper_than_the_constant(activation: Activation) -> None:
    """Mean slopes between neighbours 1e-3 apart, in float64: each is a derivative somewhere between."""
    arguments = torch.arange(-40, 40, 1e-3, dtype=torch.float64)
    slopes = activation.apply(arguments).diff().abs() / arguments.diff()
    assert float(slopes.max()) <= activation.lipschitz * (1 + 1e-9)
    assert float(slopes.max()) >= 0.98 * activation.lipschitz


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda it: it.name)
def test_only_those_that_never_fall_are_said_to_rise(activation: Activation) -> None:
    values = activation.apply(torch.arange(-40, 40, 1e-3, dtype=torch.float64))
    assert bool((values.diff() >= -1e-16).all()) == activation.rises


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda it: it.name)
@pytest.mark.parametrize("limit", [1e-7, 1e-3, 1.0])
def test_a_moved_argument_gives_a_result_that_is_held(activation: Activation, limit: float) -> None:
    generator = torch.Generator().manual_seed(0)
    arguments = 6 * torch.randn(20_000, generator=generator, dtype=torch.float64)
    within = activation.of(point(arguments, limit))
    for share in (-1.0, -0.5, 0.5, 1.0):
        assert bool(within.holds(activation.apply(arguments + share * limit)).all())


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda it: it.name)
def test_where_a_function_is_flat_nothing_is_allowed_but_its_own_rounding(activation: Activation) -> None:
    """An argument far below zero, and one far above, each known to within 0.1."""
    flat = {"torch.relu({})": -30.0, "torch.tanh({})": 30.0, "F.relu6({})": 30.0, "F.hardtanh({})": -30.0}
    if activation.name in flat:
        argument = torch.tensor([flat[activation.name]], dtype=torch.float64)
        limit = float(activation.of(point(argument, 0.1)).limit)
        assert limit <= (0.0 if activation.exact else 16.001 * 2.0**-24)


def test_an_overflow_before_a_bounded_function_allows_no_other_value() -> None:
    huge = torch.tensor([9e76], dtype=torch.float64)
    within = next(it for it in ACTIVATIONS if it.name == "torch.tanh({})").of(point(huge, 1e70))
    assert within.holds(torch.tensor([1.0], dtype=torch.float64)).tolist() == [True]
    assert within.holds(torch.tensor([0.5], dtype=torch.float64)).tolist() == [False]


@pytest.mark.parametrize("reduction", REDUCTIONS, ids=lambda it: it.name)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_a_sum_in_any_order_is_held(reduction: Reduction, dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    values = (torch.randn(1000, generator=generator) * torch.randn(1000, generator=generator).exp()).to(dtype)
    exact = math.fsum(values.double().tolist()) / (1000 if "mean" in reduction.name else 1)
    within = reduction.of(point(values.double(), 0.0, UNITS[dtype]))
    assert float(within.value) == pytest.approx(exact, rel=1e-12)
    for order in range(20):
        shuffled = values[torch.randperm(1000, generator=torch.Generator().manual_seed(order))]
        total = torch.zeros((), dtype=dtype)
        for value in shuffled:
            total = total + value
        result = total / 1000 if "mean" in reduction.name else total
        assert bool(within.holds(result.double()))
    assert not bool(within.holds(within.value + 4 * within.limit))


def test_the_limits_of_the_elements_add_up_in_a_sum() -> None:
    values = torch.tensor([1.0, -2.0, 4.0], dtype=torch.float64)
    by_sum, by_mean = (float(it.of(point(values, 0.25)).limit) for it in REDUCTIONS)
    assert by_sum == pytest.approx(0.75, rel=1e-5)
    assert by_mean == pytest.approx(0.25, rel=1e-5)


@pytest.mark.parametrize("activation", ACTIVATIONS[1:], ids=lambda it: it.name)
def test_the_step_that_was_taken_is_found_by_its_values(activation: Activation) -> None:
    output = torch.tensor([[-7.0, -0.6, 0.3], [0.9, 2.5, 8.0]])
    assert [it.name for it in steps_from(output, activation.apply(output))] == [activation.name]


def test_no_step_is_found_for_another_dtype_shape_or_value() -> None:
    output = torch.tensor([[-0.5, 0.25]])
    for result in (output.double(), output[0], output + 1e-6, torch.tensor(7.0), output.long()):
        assert list(steps_from(output, result)) == []
    assert [it.name for it in steps_from(output, output.sum())] == ["{}.sum()"]
    assert [it.name for it in steps_from(output, output.mean())] == ["{}.mean()"]
