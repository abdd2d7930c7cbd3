"""What is claimed of the elementwise functions, measured densely against their definitions in a higher precision."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from torchtwin.kernel.comparing.activations import ACTIVATIONS, REDUCTIONS, Activation, Reduction, steps_from
from torchtwin.kernel.proof.enclosure import Enclosure

UNITS = {torch.float64: 2.0**-53, torch.float32: 2.0**-24, torch.float16: 2.0**-11, torch.bfloat16: 2.0**-8}
DENSE = np.concatenate([np.linspace(-40, 40, 60_001), np.logspace(-30, 2, 5_001), -np.logspace(-30, 2, 5_001)])


LONG = np.longdouble
"""Of 64 bits on x86: 2,048 times as fine as float64. Where it is no wider, the reference is off by a unit or two."""


def _sigmoid(y: np.ndarray) -> np.ndarray:
    small = np.exp(-abs(y))
    return np.where(y > 0, 1, small) / (1 + small)


def _gelu(y: np.ndarray) -> np.ndarray:
    exact = -y / np.sqrt(LONG(2))
    near = exact.astype(np.float64)
    slope = -2 / np.sqrt(LONG(np.pi)) * np.exp(-np.square(near.astype(LONG)))
    return y * (np.array([math.erfc(it) for it in near]) + slope * (exact - near)) / 2


def _tanh_gelu(y: np.ndarray) -> np.ndarray:
    pi = LONG("3.14159265358979323846264338327950288")
    return y * _sigmoid(2 * np.sqrt(2 / pi) * (y + LONG("0.044715") * y**3))


BY_HAND: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "{}": lambda y: y,
    "torch.relu({})": lambda y: np.maximum(y, 0),
    "torch.tanh({})": np.tanh,
    "torch.sigmoid({})": _sigmoid,
    "F.gelu({})": _gelu,
    "F.gelu({}, approximate='tanh')": _tanh_gelu,
    "F.silu({})": lambda y: y * _sigmoid(y),
    "F.leaky_relu({})": lambda y: np.where(y > 0, y, y / 100),
    "F.elu({})": lambda y: np.where(y > 0, y, np.expm1(np.minimum(y, 0))),
    "F.softplus({})": lambda y: np.maximum(y, 0) + np.log1p(np.exp(-abs(y))),
    "F.relu6({})": lambda y: np.clip(y, 0, 6),
    "F.hardtanh({})": lambda y: np.clip(y, -1, 1),
}
"""In the precision of the argument."""

e = torch.exp
FORMS: dict[str, dict[str, Callable[[Tensor], Tensor]]] = {
    "torch.relu({})": {
        "clamp": lambda y: y.clamp(min=0),
        "mask": lambda y: y * (y > 0),
        "half": lambda y: (y + y.abs()) / 2,
        "where": lambda y: torch.where(y > 0, y, 0.0),
    },
    "torch.tanh({})": {
        "(e^y - e^-y) / (e^y + e^-y)": lambda y: (e(y) - e(-y)) / (e(y) + e(-y)),
        "sinh / cosh": lambda y: torch.sinh(y) / torch.cosh(y),
        "2 sigmoid(2y) - 1": lambda y: 2 * torch.sigmoid(2 * y) - 1,
        "2 / (1 + e^-2y) - 1": lambda y: 2 / (1 + e(-2 * y)) - 1,
        "1 - 2 / (e^2y + 1)": lambda y: 1 - 2 / (e(2 * y) + 1),
        "(e^2y - 1) / (e^2y + 1)": lambda y: (e(2 * y) - 1) / (e(2 * y) + 1),
        "(1 - e^-2y) / (1 + e^-2y)": lambda y: (1 - e(-2 * y)) / (1 + e(-2 * y)),
    },
    "torch.sigmoid({})": {
        "1 / (1 + e^-y)": lambda y: 1 / (1 + e(-y)),
        "e^y / (1 + e^y)": lambda y: e(y) / (1 + e(y)),
        "1 - 1 / (1 + e^y)": lambda y: 1 - 1 / (1 + e(y)),
        "by tanh": lambda y: 0.5 * (1 + torch.tanh(y / 2)),
        "by log": lambda y: e(functional.logsigmoid(y)),
    },
    "F.gelu({})": {
        "erf": lambda y: 0.5 * y * (1 + torch.erf(y / math.sqrt(2))),
        "erf, multiplied out": lambda y: 0.5 * y + 0.5 * y * torch.erf(y / math.sqrt(2)),
        "erfc": lambda y: 0.5 * y * torch.erfc(-y / math.sqrt(2)),
        "ndtr": lambda y: y * torch.special.ndtr(y),
    },
    "F.gelu({}, approximate='tanh')": {
        "tanh": lambda y: 0.5 * y * (1 + torch.tanh(math.sqrt(2 / math.pi) * (y + 0.044715 * y**3))),
        "factored": lambda y: 0.5 * y * (1 + torch.tanh(math.sqrt(2 / math.pi) * y * (1 + 0.044715 * y * y))),
        "sigmoid": lambda y: y * torch.sigmoid(2 * math.sqrt(2 / math.pi) * (y + 0.044715 * y**3)),
    },
    "F.silu({})": {
        "y sigmoid(y)": lambda y: y * torch.sigmoid(y),
        "y / (1 + e^-y)": lambda y: y / (1 + e(-y)),
        "y e^y / (1 + e^y)": lambda y: y * e(y) / (1 + e(y)),
        "y (1 - 1 / (1 + e^y))": lambda y: y * (1 - 1 / (1 + e(y))),
        "by tanh": lambda y: 0.5 * y * (1 + torch.tanh(y / 2)),
    },
    "F.leaky_relu({})": {
        "where": lambda y: torch.where(y > 0, y, 0.01 * y),
        "maximum": lambda y: torch.maximum(y, 0.01 * y),
        "two parts": lambda y: y.clamp(min=0) + 0.01 * y.clamp(max=0),
        "y / 100": lambda y: torch.where(y > 0, y, y / 100),
    },
    "F.elu({})": {
        "where": lambda y: torch.where(y > 0, y, e(y) - 1),
        "minimum": lambda y: torch.relu(y) + torch.minimum(torch.zeros_like(y), e(y) - 1),
        "two parts": lambda y: y.clamp(min=0) + (e(y.clamp(max=0)) - 1),
        "expm1": lambda y: torch.where(y > 0, y, torch.expm1(y)),
    },
    "F.softplus({})": {
        "log1p(e^y)": lambda y: torch.log1p(e(y)),
        "log(1 + e^y)": lambda y: torch.log(1 + e(y)),
        "stable": lambda y: torch.relu(y) + torch.log1p(e(-y.abs())),
        "y + log(1 + e^-y)": lambda y: y + torch.log(1 + e(-y)),
        "logaddexp": lambda y: torch.logaddexp(y, torch.zeros_like(y)),
        "-logsigmoid(-y)": lambda y: -functional.logsigmoid(-y),
    },
    "F.relu6({})": {"clamp": lambda y: y.clamp(0, 6)},
    "F.hardtanh({})": {"clamp": lambda y: torch.maximum(torch.minimum(y, torch.ones_like(y)), -torch.ones_like(y))},
}
"""As people write them."""
WRITTEN = [(it, words, form) for it in ACTIVATIONS for words, form in FORMS.get(it.name, {}).items()]


def definition(activation: Activation, arguments: Tensor) -> np.ndarray:
    return BY_HAND[activation.name](arguments.double().numpy().astype(LONG))


def point(value: Tensor, limit: float = 0.0, unit: float = 2.0**-24) -> Enclosure:
    """An enclosure of given values, each with the same limit."""
    limits = torch.full_like(value, limit)
    return Enclosure(value, limits, value.abs(), unit, 2.0, 3e38, False, value.abs, 1, value.square)


def test_every_function_has_its_definition_here() -> None:
    assert [it.name for it in ACTIVATIONS] == list(BY_HAND)


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda it: it.name)
@pytest.mark.parametrize("dtype", UNITS, ids=str)
def test_torchs_own_result_for_an_exact_argument_is_held_densely(activation: Activation, dtype: torch.dtype) -> None:
    arguments = torch.from_numpy(DENSE).to(dtype)
    right = definition(activation, arguments)
    within = activation.of(point(arguments.double(), unit=UNITS[dtype]))
    sizes = 1e-13 * abs(right) + 2e-15 * abs(arguments.double().numpy()) + 2.1e-9 * (arguments >= 20).numpy()
    assert bool((abs(within.value.numpy() - right) <= sizes).all())
    assert bool((abs(activation.apply(arguments).double().numpy() - right) <= within.limit.numpy()).all())


@pytest.mark.parametrize(("activation", "words", "form"), WRITTEN, ids=[f"{it.name}-{w}" for it, w, _ in WRITTEN])
@pytest.mark.parametrize("dtype", UNITS, ids=str)
def test_whichever_way_the_textbook_writes_a_function_the_result_is_held_densely(
    activation: Activation, words: str, form: Callable[[Tensor], Tensor], dtype: torch.dtype
) -> None:
    """Wherever e^y is a number of that precision; with room to spare, but in low precisions."""
    arguments = torch.from_numpy(DENSE).to(dtype)
    arguments = arguments[form(arguments).isfinite()]
    assert arguments.max() >= 5 <= -arguments.min()
    within, own = activation.of(point(arguments.double(), unit=UNITS[dtype])), form(arguments).double()
    assert bool(within.holds(own).all())
    left_out = 2.1e-9 * (arguments >= 20).numpy()  # by torch, so that `within.value` lacks it
    if not activation.exact:
        share = 1.0 if UNITS[dtype] > UNITS[torch.float32] else 0.7
        apart = abs(own.numpy() - definition(activation, arguments))
        assert bool((apart <= share * within.limit.numpy() + left_out).all())


def test_a_leaky_relu_is_told_from_a_relu_in_every_precision() -> None:
    arguments = -torch.logspace(-3, 2, 1000, dtype=torch.float64)
    leaky = next(it for it in ACTIVATIONS if it.name == "F.leaky_relu({})")
    for unit in UNITS.values():
        assert not bool(leaky.of(point(arguments, unit=unit)).holds(torch.zeros_like(arguments)).any())


@pytest.mark.parametrize("limit", [0.0, 1e-12, 0.5])
def test_the_term_that_torchs_softplus_leaves_out_above_20_is_allowed_only_there(limit: float) -> None:
    softplus = next(it for it in ACTIVATIONS if it.name == "F.softplus({})")
    arguments = torch.tensor([19.0, 20.0, 20.001, 25.0, 36.0], dtype=torch.float64)
    within = softplus.of(point(arguments, limit, UNITS[torch.float64]))
    for share in (-1.0, 0.0, 1.0):
        moved = arguments + share * limit
        assert bool(within.holds(moved + torch.log1p(torch.exp(-moved))).all())
        assert bool(within.holds(functional.softplus(moved)).all())
    if limit < 0.1:
        beyond = arguments + 3 * torch.exp(-arguments.clamp(min=20)) + 1e-12
        assert within.holds(beyond)[2:4].tolist() == [False, False]


@pytest.mark.parametrize("activation", [it for it in ACTIVATIONS if not it.exact], ids=lambda it: it.name)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_the_claimed_accuracy_is_not_more_than_sixteen_units_of_the_larger(
    activation: Activation, dtype: torch.dtype
) -> None:
    arguments = torch.from_numpy(DENSE).to(dtype).double()
    limit = activation.of(point(arguments, unit=UNITS[dtype])).limit
    least = 1.0 if activation.name in ("torch.tanh({})", "F.elu({})", "F.softplus({})") else 1e-30
    largest = torch.maximum(activation.apply(arguments).abs(), arguments.abs().clamp(min=least, max=4.0))
    left_out = torch.exp(-arguments) * (arguments >= 20)
    assert bool((limit <= 16.001 * UNITS[dtype] * largest + left_out).all())


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


@pytest.mark.parametrize("dtype", UNITS, ids=str)
def test_half_of_tiny_numbers_is_not_taken_for_a_gelu_of_them(dtype: torch.dtype) -> None:
    tiny = torch.tensor([[3.0, -5.0, 0.0]], dtype=dtype) * 2**-12 * UNITS[dtype]
    assert torch.equal(functional.gelu(tiny), tiny / 2)
    assert list(steps_from(tiny, tiny / 2)) == []
    assert "{}" in [it.name for it in steps_from(tiny * 0, tiny * 0)]
