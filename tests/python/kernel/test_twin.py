"""Expressions and gradient formulas, run as they stand and held against torch's own results."""

from __future__ import annotations

import itertools

import pytest
import torch
from tests.python.kernel.conftest import Notebook

INPUTS = ["torch.randn(3)", "torch.randn(4, 3)", "torch.randn(2, 4, 3)", "torch.randn(2, 2, 4, 3)"]
BIASES = ["None", "torch.randn(5)", "torch.randn(1, 5)", "torch.randn(1)", "torch.randn(())"]
AUTOCAST = ["torch.float32", "torch.bfloat16"]


@pytest.mark.parametrize(("x", "bias", "dtype"), list(itertools.product(INPUTS, BIASES, AUTOCAST)))
def test_expression_and_gradients_are_torchs_own(notebook: Notebook, x: str, bias: str, dtype: str) -> None:
    notebook.run(f"b = {bias}\nif b is not None: b.requires_grad_()\nx = {x}.requires_grad_()")
    call = notebook.call(
        "w = torch.randn(5, 3, requires_grad=True)\n"
        f"with torch.autocast('cpu', {dtype}, enabled={dtype != 'torch.float32'}): y = F.linear(x, w, b)"
    )
    notebook.run("g = torch.randn_like(y)\ny.backward(g)")
    names, formulas = notebook.names, call.gradient_formulas
    formula = eval(call.expression, names)
    assert formula.dtype == names["y"].dtype
    close(formula.reshape(names["y"].shape), names["y"])
    close(eval(formulas.weight, names), names["w"].grad)
    close(eval(formulas.input, names), names["x"].grad)
    if formulas.bias is not None:
        assert eval(formulas.bias, names).shape == names["b"].shape
        close(eval(formulas.bias, names), names["b"].grad)


@pytest.mark.parametrize("x", INPUTS)
def test_a_one_dimensional_weight_has_its_own_formulas(notebook: Notebook, x: str) -> None:
    call = notebook.call(f"x = {x}.requires_grad_()\nw = torch.randn(3, requires_grad=True)\ny = F.linear(x, w)")
    notebook.run("g = torch.randn_like(y)\ny.backward(g)")
    names = notebook.names
    close(eval(call.expression, names), names["y"])
    close(eval(call.gradient_formulas.weight, names), names["w"].grad)
    close(eval(call.gradient_formulas.input, names), names["x"].grad)


def close(formula: torch.Tensor, layer: torch.Tensor) -> None:
    low = formula.dtype == torch.bfloat16
    torch.testing.assert_close(formula.float(), layer.float(), rtol=0.05 if low else 1e-4, atol=0.1 if low else 1e-5)
