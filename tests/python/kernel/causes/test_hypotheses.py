"""What other formulas would have given: each where NumPy puts it, and where an honest evaluation of it lies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchtwin.kernel.causes import hypotheses
from torchtwin.kernel.causes.hypotheses import Hypothesis, LinearNames, Parameters
from torchtwin.kernel.proof import linear
from torchtwin.kernel.twin import Twin

NAMES = LinearNames("x", "fc.weight", "fc.bias", "x @ fc.weight.T + fc.bias")
Wide = NDArray[np.longdouble]
Formula = Callable[[Wide, Wide, Wide], Wide]
FORMULAS: dict[str, Formula] = {
    "x @ fc.weight.T": lambda x, w, b: x @ w.T,
    "x @ fc.weight.T + fc.bias + fc.bias": lambda x, w, b: x @ w.T + 2 * b,
    "x @ fc.weight.T - fc.bias": lambda x, w, b: x @ w.T - b,
    "x @ fc.weight.T + fc.bias[:, None]": lambda x, w, b: x @ w.T + b[:, None],
    "x @ fc.weight + fc.bias": lambda x, w, b: x @ w + b,
    "x @ fc.weight": lambda x, w, b: x @ w,
    "x @ fc.weight - fc.bias": lambda x, w, b: x @ w - b,
    "fc.weight @ x.T + fc.bias": lambda x, w, b: w @ x.T + b,
    "fc.weight @ x + fc.bias": lambda x, w, b: w @ x + b,
    "x.T @ fc.weight.T + fc.bias": lambda x, w, b: x.T @ w.T + b,
    "x.T @ fc.weight + fc.bias": lambda x, w, b: x.T @ w + b,
    "fc.weight.T @ x + fc.bias": lambda x, w, b: w.T @ x + b,
    "fc.weight.T @ x.T + fc.bias": lambda x, w, b: w.T @ x.T + b,
    "fc.weight @ x.T": lambda x, w, b: w @ x.T,
}


def operands(m: int, n: int, k: int, dtype: torch.dtype = torch.float32) -> Twin:
    generator = torch.Generator().manual_seed(m + n + k)
    x, w, b = (torch.randn(shape, generator=generator).to(dtype) for shape in ((m, k), (n, k), (n,)))
    return Twin(x, w, b)


def guesses(twin: Twin, names: LinearNames = NAMES, others: list[Parameters] | None = None) -> list[Hypothesis]:
    shape = torch.Size((*twin.input.shape[:-1], len(twin.weight)))
    return list(hypotheses.of_output(twin, shape, names, others or []))


def of(what: str, found: list[Hypothesis]) -> Hypothesis:
    (guess,) = (it for it in found if it.what == f"`{what}`")
    return guess


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("formula", FORMULAS)
def test_each_formula_lies_where_numpy_puts_it_and_holds_its_own_evaluation(formula: str, dtype: torch.dtype) -> None:
    twin = operands(4, 4, 4, dtype)
    guess = of(formula, guesses(twin))
    assert twin.bias is not None
    x, w, b = (t.double().numpy().astype(np.longdouble) for t in (twin.input, twin.weight, twin.bias))
    np.testing.assert_allclose(guess.within.value.numpy(), FORMULAS[formula](x, w, b).astype(float), atol=1e-13)
    computed = eval(formula.replace("fc.", ""), {"x": twin.input, "weight": twin.weight, "bias": twin.bias})
    assert bool(guess.within.holds(computed.double()).all())
    assert guess.advice == "Write `x @ fc.weight.T + fc.bias`."


def test_no_formula_is_the_right_one_nor_its_transpose() -> None:
    twin = operands(4, 4, 4)
    assert twin.bias is not None
    right = twin.input.double() @ twin.weight.double().T + twin.bias.double()
    for guess in guesses(twin):
        if guess.causes != ("lower_precision",):
            assert not bool(guess.within.holds(right).all()), guess.what
            assert not bool(guess.within.holds(right.T).all()), guess.what


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ((5, 4, 3), 3),  # without the bias, twice and subtracted
        ((5, 4, 4), 3 + 4),  # and each with the weight not transposed
        ((4, 4, 3), 4 + 4),  # the bias along the other dimension; the product transposed, but for one
    ],
)
def test_only_formulas_that_give_the_shape_are_tried(sizes: tuple[int, int, int], expected: int) -> None:
    found = [it for it in guesses(operands(*sizes)) if it.causes != ("lower_precision",)]
    assert len(found) == len({it.what for it in found}) == expected, [it.what for it in found]
    assert all(it.within.value.shape == sizes[:2] for it in found)


def test_without_a_bias_nothing_is_said_of_one() -> None:
    found = guesses(replace(operands(4, 4, 4), bias=None), LinearNames("x", "w", "bias", "x @ w.T"))
    assert not any("bias" in it.what or "missing_bias" in it.causes for it in found)


def test_words_that_stand_for_a_nameless_operand_are_not_advised() -> None:
    words = "input @ fc.weight.T + fc.bias"
    found = guesses(operands(4, 4, 4), LinearNames("input", "fc.weight", "fc.bias", words, frozenset({"input"})))
    assert all("input @" not in it.advice and "`input" not in it.advice for it in found)
    assert of("input @ fc.weight.T", found).advice == "Add `fc.bias`."
    assert of("input @ fc.weight + fc.bias + fc.bias", found).advice == "Multiply by `fc.weight.T`. Add `fc.bias` once."
    nameless = LinearNames("input", "weight", "bias", "input @ weight.T + bias", frozenset({"input", "weight", "bias"}))
    assert all("`" not in it.advice for it in guesses(operands(4, 4, 4), nameless))


def test_words_of_several_parts_are_put_into_parentheses() -> None:
    found = guesses(operands(5, 4, 3), LinearNames("a + c", "v or w", "b", "(a + c) @ (v or w).T + b"))
    assert found[0].what == "`(a + c) @ (v or w).T`"


def test_the_parameters_of_another_time_are_told_by_when_it_was() -> None:
    twin = operands(5, 4, 3)
    other = torch.randn(4, 3)
    for is_later, words in ((True, "as it became after the call"), (False, "as it was before it was changed")):
        found = guesses(twin, others=[Parameters(other, torch.ones(4), is_later)])
        stale = [it for it in found if it.causes == ("stale_operand",)]
        assert len(stale) == 2  # with the other bias, and with the one that was used
        for guess, bias in zip(stale, (torch.ones(4), twin.bias), strict=True):
            assert words in guess.what
            assert bias is not None
            exact = twin.input.double().numpy() @ other.double().numpy().T + bias.double().numpy()
            np.testing.assert_allclose(guess.within.value.numpy(), exact, atol=1e-13)


def tf32(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """To 11 significant bits, ties to even."""
    mantissa, exponent = np.frexp(values)
    return np.ldexp(np.rint(mantissa * 2**11), exponent - 11)


def test_factors_in_tf32_have_eleven_bits() -> None:
    twin = operands(5, 4, 30)
    (guess,) = (it for it in guesses(twin) if "TF32" in it.what)
    assert twin.bias is not None
    x, w, b = (t.double().numpy() for t in (twin.input, twin.weight, twin.bias))
    np.testing.assert_allclose(guess.within.value.numpy(), tf32(x) @ tf32(w).T + b, atol=1e-13)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_every_way_through_a_lower_precision_is_held_by_one_guess(dtype: torch.dtype) -> None:
    twin = operands(5, 4, 30)
    x, w, b = twin.input, twin.weight, twin.bias
    assert b is not None
    low = [t.to(dtype) for t in (x, w, b)]
    ways: list[Tensor] = [
        low[0] @ low[1].T + low[2],
        torch.nn.functional.linear(*low),
        (low[0] @ low[1].T).float() + b,
        low[0].float() @ low[1].float().T + b,
    ]
    found = [it for it in guesses(twin) if it.causes == ("lower_precision",)]
    for way in ways:
        holding = [it for it in found if bool(it.within.holds(way.double()).all())]
        right = x.double() @ w.double().T + b
        assert holding
        assert min(float((way - it.within.value).norm() / (way - right).norm()) for it in holding) < 0.2
    assert not [it for it in guesses(operands(5, 4, 3, dtype)) if it.causes == ("lower_precision",)]


def test_of_several_passes_each_one_and_their_mean_are_tried() -> None:
    pairs = [(operands(5, 4, 3), torch.randn(5, 4)) for _ in range(3)]
    each = [linear.gradient("weight", twin, g) for twin, g in pairs]
    passes = [it for it in each if it is not None]
    found = list(hypotheses.of_fewer_passes(passes, "fc.weight.grad"))
    exact = [g.double().numpy().T @ twin.input.double().numpy() for twin, g in pairs]
    expected = [*reversed(exact), sum(exact) / 3]
    assert [it.causes for it in found] == [("scaled",)] * 4
    for guess, value in zip(found, expected, strict=True):
        np.testing.assert_allclose(guess.within.value.numpy(), value, atol=1e-13)
    assert found[0].advice == "Call `zero_grad()` before each backward: `fc.weight.grad` holds 3 passes."
    assert found[3].advice.startswith("Divide each loss by 3 before its backward")
    assert "`" not in next(iter(hypotheses.of_fewer_passes(passes, "its gradient"))).what


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_mean_of_passes_holds_the_gradient_of_the_whole_batch(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    x, g = torch.randn(64, 3, generator=generator).to(dtype), torch.randn(64, 4, generator=generator).to(dtype)
    weight = torch.randn(4, 3).to(dtype)
    each = [linear.gradient("weight", Twin(a, weight, None), c) for a, c in zip(x.chunk(4), g.chunk(4), strict=True)]
    *_, mean = hypotheses.of_fewer_passes([it for it in each if it is not None], "w.grad")
    assert bool(mean.within.holds(((g / 4).T @ x).double()).all())


def test_gradients_have_other_formulas_where_the_weight_is_square() -> None:
    twin, g = operands(6, 4, 4), torch.randn(6, 4)
    x, w, h = (t.double().numpy() for t in (twin.input, twin.weight, g))
    expected = {"weight": x.T @ h, "input": h @ w.T}
    for role, value in expected.items():
        within = linear.gradient(role, twin, g)
        assert within is not None
        (guess,) = hypotheses.of_gradient(role, twin, within, [(twin, g)], "fc.weight")
        assert guess.causes == ("missing_transpose",)
        np.testing.assert_allclose(guess.within.value.numpy(), value, atol=1e-13)
    narrow = operands(6, 4, 3)
    within = linear.gradient("weight", narrow, g)
    assert within is not None
    assert list(hypotheses.of_gradient("weight", narrow, within, [(narrow, g)])) == []
