"""A probe: it sees what it says it would, is silent on honest products, and draws from its own generator alone."""

from __future__ import annotations

import itertools
import math
import random

import numpy as np
import pytest
import torch
from torch import Tensor

from torchtwin.kernel.proof import probe
from torchtwin.kernel.proof.bounds import arithmetic
from torchtwin.kernel.proof.probe import EXACT_ROWS, probed
from torchtwin.kernel.proof.product import Product
from torchtwin.protocol import Verdict

M, N, K = 256, 48, 64


def product(seed: int = 0, dtype: torch.dtype = torch.float32, bias: bool = True) -> Product:
    generator = torch.Generator().manual_seed(seed)
    x, w, b = (torch.randn(shape, generator=generator).to(dtype) for shape in ((M, K), (N, K), (N,)))
    return Product(x, w, b if bias else None)


def result(it: Product) -> Tensor:
    return torch.nn.functional.linear(it.left, it.right, it.bias)


def ask(it: Product, layer: Tensor) -> Verdict:
    return probed(it, layer, arithmetic(it.left.dtype, it.left.device))


def stated(verdict: Verdict) -> float:
    assert verdict.probe is not None
    assert isinstance(verdict.probe.smallest, float)
    return verdict.probe.smallest


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("bias", [True, False])
def test_it_is_silent_on_honest_products(dtype: torch.dtype, bias: bool) -> None:
    for seed in range(10):
        it = product(seed, dtype, bias)
        verdict = ask(it, result(it))
        assert (verdict.kind in ("identical", "rounding"), verdict.coverage) == (True, "probe")
        assert verdict.probe is not None
        assert (verdict.probe.alarms, verdict.probe.probability) == (0, 15 / 16)
        assert "a probe over all 12,288 elements is silent" in verdict.message


def test_the_size_it_states_is_that_of_the_random_walk_of_rounding() -> None:
    it = product()
    assert it.bias is not None
    x, w, b = (t.numpy().astype(np.longdouble) for t in (it.left, it.right, it.bias))
    sizes = np.sqrt((x**2).sum(1) * (w**2).sum() + (b**2).sum())
    usual = 4 * math.sqrt(K + 1) * 2.0**-24
    assert stated(ask(it, result(it))) == pytest.approx(float(usual * sizes.max()), rel=1e-4)


def test_a_single_error_of_the_stated_size_is_seen_as_often_as_it_says() -> None:
    """In the row where the probe sees least. Of 200 trials with 15/16 each, fewer than 170 come by chance of 1e-5."""
    it = product()
    honest = result(it)
    smallest = stated(ask(it, honest))
    row = int(torch.linalg.vector_norm(it.left.double(), dim=1).argmax())
    draw, seen = random.Random(0), 0
    for _ in range(200):
        spoiled = honest.clone()
        spoiled[row, draw.randrange(N)] += draw.choice([-1, 1]) * 1.02 * smallest
        verdict = ask(it, spoiled)
        seen += verdict.kind == "different"
    assert seen >= 170


def test_a_large_error_anywhere_is_always_seen_and_its_row_is_computed_exactly() -> None:
    it = product()
    for row in range(0, M, 17):
        spoiled = result(it)
        spoiled[row, row % N] += 1.0
        verdict = ask(it, spoiled)
        assert verdict.kind == "different"
        assert verdict.outside == [row * N + row % N]
        assert f"first [{row}, {row % N}]" in verdict.message


def test_an_error_that_all_rows_share_is_seen() -> None:
    it = product()
    verdict = ask(it, result(it) + 1e-2)
    assert verdict.kind == "different"
    assert verdict.coverage is not None
    rows = int(verdict.coverage.removeprefix("rows ").removesuffix(f" of {M}"))
    assert probe.MAX_ALARMS <= rows <= probe.MAX_ALARMS + EXACT_ROWS
    assert ask(Product(it.left, it.right, None), result(it)).kind == "different"


def test_nan_and_infinities_are_seen() -> None:
    it = product()
    for bad in (math.nan, math.inf, -math.inf):
        spoiled = result(it)
        spoiled[200, 7] = bad
        assert ask(it, spoiled).kind == "different"


def test_rows_that_trip_the_probe_by_chance_are_computed_exactly_and_are_not_called_different(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    it = product()
    honest = result(it)
    monkeypatch.setattr(probe, "_ALARM", 0.1)  # some rows trip
    some = ask(it, honest)
    assert (some.kind in ("identical", "rounding"), some.coverage) == (True, "probe")
    assert some.probe is not None
    assert 0 < some.probe.alarms <= probe.MAX_ALARMS
    monkeypatch.setattr(probe, "_ALARM", 0.01)  # nearly all do
    many = ask(it, honest)
    assert (many.kind in ("identical", "rounding"), many.probe) == (True, None)
    assert many.coverage is not None
    assert many.coverage.startswith("rows ")
    assert "more tripped a probe, and were not computed" in many.message


def test_of_several_results_the_rows_that_are_furthest_off_in_any_are_computed() -> None:
    it = product()
    one, other = result(it), result(it)
    one[:100] += 1e-2
    one[7] += 1e3
    other[200] += 1e3
    other[201, 3] = math.nan
    sample = probe.sampled(it, [one, other], arithmetic(torch.float32, one.device), torch.tensor([5]))
    assert sample.tripped.tolist() == [*range(100), 200, 201]
    assert sample.left_out == 102 - probe.MAX_ALARMS
    assert {7, 200, 201} <= set(sample.rows.tolist())
    assert sample.rows.tolist() == sorted(set(sample.rows.tolist()))
    assert sample.total == M


def test_where_all_rows_were_computed_exactly_it_says_so() -> None:
    it = product()
    few = Product(it.left[:5], it.right, it.bias)
    verdict = ask(few, result(few))
    assert (verdict.coverage, verdict.probe) == ("all", None)


def test_each_probe_draws_anew_and_the_users_generator_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    it = product()
    honest = result(it)
    before = torch.get_rng_state()
    seeds = itertools.count(100)
    used: list[int] = []
    monkeypatch.setattr(probe, "_seeds", iter(lambda: used.append(next(seeds)) or used[-1], None))
    for _ in range(3):
        ask(it, honest)
    assert used == [100, 101, 102]
    assert torch.equal(before, torch.get_rng_state())
