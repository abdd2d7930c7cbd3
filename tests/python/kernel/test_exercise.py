"""The exercise of `examples/linear_by_hand.ipynb`, with its numbers worked out by hand.

x w^T + b = [10*11 + 20*12 + 31, 10*21 + 20*22 + 32, 10*31 + 20*32 + 33] = [381, 682, 983].
"""

from __future__ import annotations

import pytest
from tests.python.kernel.conftest import Notebook

SETUP = """\
x = torch.tensor([[10., 20.]])
fc = torch.nn.Linear(2, 3)
w = torch.tensor([[11., 12.], [21., 22.], [31., 32.]])
fc.weight.data = w
b = torch.tensor([[31., 32., 33.]])
fc.bias.data = b
fc_out = fc(x)
"""


def test_the_twin_is_written_in_the_users_names(notebook: Notebook) -> None:
    call = notebook.call(SETUP)
    assert call.name == "fc"
    assert call.expression == "x @ w.T + b"
    assert eval(call.expression, notebook.names).tolist() == [[381.0, 682.0, 983.0]]


def test_the_five_operands_have_their_names_and_shapes(notebook: Notebook) -> None:
    operands = notebook.call(SETUP).operands
    shown = [operands.input, operands.weight, operands.weight_t, operands.bias, operands.output]
    assert [(o.name, o.shape) for o in shown if o] == [
        ("x", [1, 2]),
        ("w", [3, 2]),
        ("w.T", [2, 3]),
        ("b", [1, 3]),
        ("fc_out", [1, 3]),
    ]
    assert {o.dtype for o in shown if o} == {"float32"}
    assert [o.requires_grad for o in shown if o] == [False, True, True, True, True]


def test_the_output_is_identical_three_of_three(notebook: Notebook) -> None:
    verdict = notebook.call(SETUP).forward
    assert (verdict.kind, verdict.equal_elements, verdict.elements) == ("identical", 3, 3)
    assert (verdict.max_abs_diff, verdict.max_ulp_diff, verdict.units, verdict.coverage) == (0.0, 0, 0.0, "all")
    # Layer and formula may each be off by g(K + 1) = 3u / (1 - 3u) with K = 2, so by 6 units between them.
    assert verdict.bound == pytest.approx(6.0, rel=1e-6)


def test_the_gradients_are_identical_and_the_inputs_is_not_asked_for(notebook: Notebook) -> None:
    call = notebook.call(SETUP)
    assert (call.gradients.weight, call.gradients.bias, call.gradients.input) == (None, None, None)
    notebook.run("fc_out.sum().backward()")
    gradients = notebook.again(call).gradients
    assert gradients.weight is not None
    assert gradients.bias is not None
    assert gradients.input is not None
    assert (gradients.weight.kind, gradients.weight.equal_elements) == ("identical", 6)
    assert (gradients.bias.kind, gradients.bias.equal_elements) == ("identical", 3)
    assert (gradients.input.kind, gradients.input.reason) == ("unchecked", "`x` does not require grad")


def test_the_values_travel_as_numbers(notebook: Notebook) -> None:
    call = notebook.call(SETUP)
    notebook.run("fc_out.sum().backward()")
    values = notebook.again(call).values
    assert values.input == [10.0, 20.0]
    assert values.weight == [11.0, 12.0, 21.0, 22.0, 31.0, 32.0]
    assert values.output == [381.0, 682.0, 983.0]
    assert values.twin_output is None  # the same, bit for bit
    assert values.grad_weight == [10.0, 20.0] * 3
    assert values.grad_bias == [1.0, 1.0, 1.0]


def test_the_gradient_formulas_run_as_they_stand(notebook: Notebook) -> None:
    call = notebook.call(SETUP)
    notebook.run("fc_out.sum().backward()\ng = torch.ones(1, 3)")
    formulas = call.gradient_formulas
    assert formulas.bias is not None
    assert eval(formulas.weight, notebook.names).tolist() == [[10.0, 20.0]] * 3
    assert eval(formulas.bias, notebook.names).tolist() == [[1.0, 1.0, 1.0]]
    assert eval(formulas.input, notebook.names).tolist() == [[11.0 + 21.0 + 31.0, 12.0 + 22.0 + 32.0]]


def test_the_site_is_the_cell_and_line(notebook: Notebook) -> None:
    site = notebook.call(SETUP).site
    assert (site.line, site.source, site.file) == (7, "fc_out = fc(x)", None)
    assert site.cell_id is not None
