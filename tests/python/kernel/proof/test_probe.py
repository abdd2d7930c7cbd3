"""A probe: it sees what it says it would, is silent on honest products, and draws from its own generator alone."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from torchtwin.kernel.proof import alarm, probe
from torchtwin.kernel.proof.bounds import arithmetic
from torchtwin.kernel.proof.probe import EXACT_ROWS, concluded
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
    found = probe.probe(it, layer, arithmetic(it.left.dtype, it.left.device))
    return found if isinstance(found, Verdict) else concluded([found])[0]


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


def test_the_size_it_states_is_the_alarm_the_probes_own_rounding_and_what_may_point_against_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    it, drawn = product(bias=False), []
    original = alarm._signs
    monkeypatch.setattr(alarm, "_signs", lambda *of: drawn.append(original(*of)) or drawn[-1])
    found = stated(ask(it, result(it)))
    x, w, v = (t.numpy().astype(np.longdouble) for t in (it.left, it.right, drawn[0]))
    u, row, size = 2.0**-24, np.sqrt((x**2).sum(1).max()), np.sqrt((w**2).sum())
    limit, own, honest = 4 * math.sqrt(K + 1) * u, math.sqrt(N) * u, (K + 1) * u / (1 - (K + 1) * u)
    against = math.sqrt(2 * math.log(16))
    of_folded = math.sqrt(K) * u * np.sqrt(((v @ w) ** 2).sum())  # half of that, in the limit and once more beside it
    assert found == pytest.approx(float(row * ((limit + 2 * own + against * honest) * size + of_folded)), rel=1e-4)


def test_four_probes_state_no_less_than_what_the_rounding_of_an_element_hides() -> None:
    draw = torch.Generator().manual_seed(0)
    it = Product(torch.randn(64, 2048, generator=draw), torch.randn(2, 2048, generator=draw), None)
    x, w = (t.numpy().astype(np.longdouble) for t in (it.left, it.right))
    sample = probe.sampled(it, [result(it)], arithmetic(torch.float32, it.left.device), torch.tensor([0]))
    hidden = 2 * 2049 * 2.0**-24 * float(np.sqrt((x**2).sum(1).max() * (w**2).sum(1).max()))
    assert sample.smallest == pytest.approx(hidden, rel=1e-3)


def test_four_probes_need_not_know_how_the_other_elements_round() -> None:
    it = product()
    assert it.bias is not None
    x, w, b = (t.numpy().astype(np.longdouble) for t in (it.left, it.right, it.bias))
    sizes = np.sqrt((x**2).sum(1)) * np.sqrt((w**2).sum()) + np.sqrt((b**2).sum())
    usual = 4 * math.sqrt(K + 1) * 2.0**-24
    sample = probe.sampled(it, [result(it)], arithmetic(torch.float32, it.left.device), torch.tensor([0]))
    assert sample.smallest == pytest.approx(float(usual * sizes.max()), rel=1e-4)


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
    assert probe.MAX_ALARMS <= rows <= 2 * probe.MAX_ALARMS + EXACT_ROWS
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
    original, tripping = probe.listen, 3

    def listen(*of: Any) -> Any:
        heard = original(*of)
        return replace(heard, off=torch.where(torch.arange(M) < tripping, 2 * heard.limit, heard.off))

    monkeypatch.setattr(probe, "listen", listen)
    some = ask(it, honest)
    assert (some.kind in ("identical", "rounding"), some.coverage) == (True, "probe")
    assert some.probe is not None
    assert some.probe.alarms == 3
    assert "elements trips nowhere else" in some.message
    tripping = 200
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
    spoiled = result(few) * math.nan
    assert ask(few, spoiled).coverage == "rows 5 of 5"
    sample = probe.sampled(few, [result(few)], arithmetic(torch.float32, it.left.device), torch.tensor([0]))
    assert probe.covered(Verdict("identical", "identical"), sample, 5 * N).coverage == "all"


def test_each_probe_draws_anew_and_the_users_generators_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    it = product()
    honest = result(it)
    before, pythons = torch.get_rng_state(), random.getstate()
    drawn: list[Tensor] = []
    original = alarm._signs
    monkeypatch.setattr(alarm, "_signs", lambda *of: drawn.append(original(*of)) or drawn[-1])
    for _ in range(3):
        ask(it, honest)
    assert len({tuple(signs.tolist()) for signs in drawn}) == 3
    assert all(set(signs.tolist()) == {-1.0, 1.0} for signs in drawn)
    assert torch.equal(before, torch.get_rng_state())
    assert pythons == random.getstate()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("values", ["normal", "positive"])
def test_the_probes_own_rounding_is_no_larger_than_it_allows_for(dtype: torch.dtype, values: str) -> None:
    """Of a product that is exact, all that it finds is its own rounding."""
    generator = torch.Generator().manual_seed(0)
    for rows, terms, columns in ((64, 32, 8192), (64, 1024, 256), (256, 64, 48)):
        make = torch.rand if values == "positive" else torch.randn
        x, w = (make(shape, generator=generator).bfloat16().to(dtype) for shape in ((rows, terms), (columns, terms)))
        how = replace(arithmetic(dtype, x.device), sum_unit=1e-30, factor_unit=0.0, unit=1e-30)
        exact = (x.double() @ w.double().T).to(alarm.wide(dtype))
        heard = alarm.listen(Product(x, w, None), [exact], how, 1, alarm.wide(dtype))
        rounded = 0.0 if dtype == torch.float64 else 2.0**-24  # of the result itself
        slack = rounded * exact.double().norm(dim=1) * 4
        assert bool((heard.off <= heard.limit + slack).all())
        assert bool((heard.limit < 1e-3 * exact.double().norm(dim=1) * math.sqrt(columns)).all())


@pytest.mark.parametrize("size", [1e-30, 1e25])
def test_numbers_whose_squares_pass_the_range_are_probed_in_float64(size: float) -> None:
    it = product(bias=False)
    far = Product(it.left * size, it.right, None)
    honest = far.evaluate()
    assert ask(far, honest).kind in ("identical", "rounding")
    spoiled = honest.clone()
    spoiled[200, 7] += size
    assert ask(far, spoiled).kind == "different"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_no_copy_of_a_whole_operand_is_made(dtype: torch.dtype) -> None:
    it = Product(torch.ones(2048, 512, dtype=dtype), torch.ones(1024, 512, dtype=dtype), None)
    layer = it.evaluate()
    with Allocations(it.left, it.right, layer) as largest:
        assert ask(it, layer).coverage == "probe"
    assert largest.elements <= alarm.BLOCK


class Allocations(TorchDispatchMode):
    """The elements of the largest result of any operation that has memory of its own."""

    def __init__(self, *given: Tensor) -> None:
        super().__init__()
        self.elements = 0
        self._given = {tensor.untyped_storage().data_ptr() for tensor in given}

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        if isinstance(result, Tensor) and result.untyped_storage().data_ptr() not in self._given:
            self.elements = max(self.elements, result.numel())
        return result
