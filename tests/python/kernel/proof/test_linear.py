"""Where honest results of a layer and of its gradients lie: all of them, and no further than the theorem says."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from torchtwin.kernel.proof import linear
from torchtwin.kernel.proof.enclosure import Enclosure
from torchtwin.kernel.twin import Twin

UNIT = {torch.float64: 2.0**-53, torch.float32: 2.0**-24, torch.float16: 2.0**-11, torch.bfloat16: 2.0**-8}
SIZES = [(3, 2, 1), (5, 4, 7), (4, 6, 300)]
"""M, N, K."""


def twin(sizes: tuple[int, int, int], dtype: torch.dtype, biased: bool = True) -> tuple[Twin, Tensor]:
    """Operands, and a gradient of the output."""
    m, n, k = sizes
    generator = torch.Generator().manual_seed(m + n + k)
    x, w, b, g = (torch.randn(shape, generator=generator).to(dtype) for shape in ((m, k), (n, k), (n,), (m, n)))
    return Twin(x, w, b if biased else None), g


def held(within: Enclosure | None, value: Tensor) -> bool:
    assert within is not None
    return bool(within.holds(value.double()).all())


def exactly(terms: list[list[list[Fraction]]]) -> np.ndarray:
    return np.array([[float(sum(element)) for element in row] for row in terms])


def fractions(tensor: Tensor) -> list[list[Fraction]]:
    return [[Fraction(v) for v in row] for row in tensor.double().tolist()]


@pytest.mark.parametrize("dtype", UNIT)
@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("biased", [True, False])
def test_every_honest_way_to_the_output_is_held(dtype: torch.dtype, sizes: tuple[int, int, int], biased: bool) -> None:
    it, _ = twin(sizes, dtype, biased)
    x, w, b = it.input, it.weight, it.bias
    k, zero = sizes[2] // 2, torch.zeros((), dtype=dtype)
    added = zero if b is None else b
    within = linear.output(it, torch.Size(sizes[:2]))
    ways = [functional.linear(x, w, b), it.evaluate(), x.flip(1) @ w.flip(1).T + added]
    if dtype in (torch.float32, torch.float64):  # in pieces, each of which is rounded
        ways += [x[:, :k] @ w[:, :k].T + (x[:, k:] @ w[:, k:].T + added), (x[:, None] * w).sum(-1) + added]
    for way in ways:
        assert held(within, way)


@pytest.mark.parametrize("dtype", UNIT)
@pytest.mark.parametrize("sizes", SIZES)
def test_the_gradients_of_autograd_and_of_the_formulas_are_held(
    dtype: torch.dtype, sizes: tuple[int, int, int]
) -> None:
    it, g = twin(sizes, dtype)
    assert it.bias is not None
    x, w, b = (t.clone().requires_grad_() for t in (it.input, it.weight, it.bias))
    functional.linear(x, w, b).backward(g)
    ways = {"weight": (w.grad, g.T @ it.input), "input": (x.grad, g @ it.weight), "bias": (b.grad, g.sum(0))}
    for role, values in ways.items():
        for value in values:
            assert value is not None
            assert held(linear.gradient(role, it, g), value), role


@pytest.mark.parametrize("sizes", SIZES[:2])
def test_the_places_are_around_the_exact_results(sizes: tuple[int, int, int]) -> None:
    it, g = twin(sizes, torch.float32)
    assert it.bias is not None
    x, w, h = fractions(it.input), fractions(it.weight), fractions(g)
    b = [Fraction(v) for v in it.bias.double().tolist()]
    m, n, k = sizes
    exact = {
        "output": exactly([[[*(x[i][t] * w[j][t] for t in range(k)), b[j]] for j in range(n)] for i in range(m)]),
        "weight": exactly([[[h[i][j] * x[i][t] for i in range(m)] for t in range(k)] for j in range(n)]),
        "input": exactly([[[h[i][j] * w[j][t] for j in range(n)] for t in range(k)] for i in range(m)]),
        "bias": exactly([[[h[i][j] for i in range(m)] for j in range(n)]])[0],
    }
    for of, expected in exact.items():
        place = linear.output(it, torch.Size((m, n))) if of == "output" else linear.gradient(of, it, g)
        assert place is not None
        np.testing.assert_allclose(place.value.numpy(), expected, rtol=0, atol=1e-14 * np.abs(expected).max())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("sizes", SIZES)
def test_no_place_is_wider_than_the_theorem_has_it(dtype: torch.dtype, sizes: tuple[int, int, int]) -> None:
    it, g = twin(sizes, dtype)
    assert it.bias is not None
    m, n, k = sizes
    x, w, b, h = (np.abs(t.numpy().astype(np.longdouble)) for t in (it.input, it.weight, it.bias, g))
    u = UNIT[dtype]
    own = 3 if dtype == torch.float64 else 1.001  # the reference is a float64 sum itself
    sizes_of = {"output": (k, x @ w.T + b), "weight": (m, h.T @ x), "input": (n, h @ w), "bias": (m, h.sum(0))}
    for of, (terms, scale) in sizes_of.items():
        place = linear.output(it, torch.Size((m, n))) if of == "output" else linear.gradient(of, it, g)
        assert place is not None
        bound = (terms + 1) * u / (1 - (terms + 1) * u) * scale
        assert bool((place.limit.numpy() >= bound * (1 - 1e-9)).all()), of
        assert bool((place.limit.numpy() <= own * bound + 1e-40).all()), of


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_low_precisions_are_wider_by_a_rounding_of_the_product_and_one_of_the_result(dtype: torch.dtype) -> None:
    it, _ = twin((4, 6, 300), dtype)
    assert it.bias is not None
    x, w, b = (t.double().numpy() for t in (it.input, it.weight, it.bias))
    product, u, wide = x @ w.T, UNIT[dtype], 2.0**-24
    scale = np.abs(x) @ np.abs(w).T + np.abs(b)
    summed = 301 * wide / (1 - 301 * wide) * scale
    bound = summed + u * (np.abs(product) + summed)
    bound = bound + u * (np.abs(product + b) + bound)
    place = linear.output(it, torch.Size((4, 6)))
    assert place is not None
    flushed = 1e-4 if dtype == torch.float16 else 1e-30  # the smallest normal of the result, twice
    assert bool((place.limit.numpy() >= bound * (1 - 1e-9)).all())
    assert bool((place.limit.numpy() <= bound * 1.001 + 2 * flushed).all())


@pytest.mark.parametrize("dtype", UNIT)
def test_what_lies_a_little_beyond_the_limit_is_not_held(dtype: torch.dtype) -> None:
    it, g = twin((5, 4, 7), dtype)
    for place in (
        linear.output(it, torch.Size((5, 4))),
        *(linear.gradient(r, it, g) for r in ("weight", "input", "bias")),
    ):
        assert place is not None
        for sign in (-1, 1):  # float64 resolves its own limit only to some per cent
            assert bool(place.holds(place.value + 0.9 * sign * place.limit).all())
            assert not bool(place.holds(place.value + 1.1 * sign * place.limit).any())


def test_a_bias_or_a_weight_of_another_shape_has_its_place() -> None:
    x, w = torch.randn(3, 2), torch.randn(4, 2)
    row = linear.output(Twin(x, w, torch.tensor([[1.0, 2.0, 3.0, 4.0]])), torch.Size((3, 4)))
    assert held(row, x @ w.T + torch.tensor([1.0, 2.0, 3.0, 4.0]))
    vector = linear.output(Twin(x, w[0], None), torch.Size((3,)))
    assert held(vector, x @ w[0])
    batches = torch.randn(2, 5, 2)
    assert held(linear.output(Twin(batches, w, None), torch.Size((2, 5, 4))), batches @ w.T)
    g = torch.randn(2, 5, 4)
    assert held(linear.gradient("input", Twin(batches, w, None), g), g @ w)
    assert held(linear.gradient("weight", Twin(batches, w, None), g), g.reshape(10, 4).T @ batches.reshape(10, 2))
    assert held(linear.gradient("bias", Twin(batches, w, w[:, 0]), g), g.sum((0, 1)))


def test_an_input_known_within_a_radius_widens_the_place_by_what_the_weight_makes_of_it() -> None:
    it, _ = twin((5, 4, 7), torch.float32)
    place = linear.output(it, torch.Size((5, 4)))
    before = linear.output(Twin(it.input, torch.eye(7), None), torch.Size((5, 7)))
    assert place is not None
    assert before is not None
    radius = torch.full_like(before.value, 1e-3)
    before = Enclosure(**{**vars(before), "limit": radius})
    through = linear.output_through(before, it, torch.Size((5, 4)))
    assert through is not None
    carried = 1e-3 * np.abs(it.weight.double().numpy()).sum(1)
    np.testing.assert_allclose((through.limit - place.limit).numpy(), np.tile(carried, (5, 1)), rtol=1e-3)
    moved = it.input + 1e-3 * (2 * torch.rand(5, 7) - 1)
    assert held(through, moved @ it.weight.T + it.bias)
    worst = it.input.double() + 1e-3 * it.weight[2].double().sign()
    far = worst @ it.weight.double().T + it.bias
    assert bool(through.holds(far)[:, 2].all())
    assert not bool(place.holds(far)[:, 2].any())
