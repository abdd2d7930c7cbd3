"""What `%twin a` tells of one value: what it is, and the calls that it comes from."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.python.kernel.conftest import Notebook

from torchtwin.kernel.comparing.explain import explain

SETUP = """\
fc = nn.Linear(3, 2)
x = torch.randn(4, 3)
y = fc(x)
"""


@pytest.fixture
def layer(notebook: Notebook) -> Notebook:
    notebook.run(SETUP)
    return notebook


def told(notebook: Notebook, words: str) -> list[str]:
    return explain(eval(words, notebook.names), words, notebook.session).splitlines()


def test_an_output_is_told_with_its_call_its_place_its_formula_and_its_verdict(layer: Notebook) -> None:
    what, call, verdict = told(layer, "y")
    assert what == "y: [4, 2] float32, cpu, requires grad"
    assert call.startswith("  the output of `fc(x)`, cell [")
    assert call.endswith(", line 3: `x @ fc.weight.T + fc.bias`")
    assert verdict == "  identical, 8 of 8 elements, bit for bit"


def test_what_an_activation_makes_of_an_output_is_told_as_that(layer: Notebook) -> None:
    assert told(layer, "torch.tanh(y)")[1].startswith("  `torch.tanh(fc(x))`, from the output of `fc(x)`, cell [")


def test_a_tensor_that_comes_from_no_call_is_told_to_be_untraced(layer: Notebook) -> None:
    assert told(layer, "x + 1") == ["x + 1: [4, 3] float32, cpu", "  not traced to a recorded call"]


def test_what_is_a_gradient_by_its_numbers_is_told_as_that(layer: Notebook) -> None:
    layer.run("y.sum().backward()")
    what, call, verdict = told(layer, "torch.ones(4, 2).T @ x")
    assert what == "torch.ones(4, 2).T @ x: [2, 3] float32, cpu"
    assert call.startswith("  the weight gradient of `fc`, cell [")
    assert call.endswith(", line 3: `g.T @ x`")
    assert verdict.startswith(("  identical, 6 of 6", "  rounding"))


def test_what_is_nearly_an_output_or_a_gradient_is_told_with_its_cause_as_the_report_does(layer: Notebook) -> None:
    layer.run("y.sum().backward()\nby_hand = x @ fc.weight.T\ndw = 2 * torch.ones(4, 2).T @ x")
    _, call, cause = told(layer, "by_hand")
    assert call.startswith("  nearly the output of `fc`, cell [")
    assert cause == "  `by_hand` lacks the bias: it is `x @ fc.weight.T`. Write `x @ fc.weight.T + fc.bias`."
    _, call, cause = told(layer, "dw")
    assert call.startswith("  nearly the weight gradient of `fc`, cell [")
    assert call.endswith(", line 3: `g.T @ x`")
    assert cause == "  `dw` is 2 times `fc.weight.grad`. Divide by 2."


def test_a_question_changes_no_record(layer: Notebook) -> None:
    layer.run("by_hand = x @ fc.weight.T")
    calls = layer.session.calls()
    told(layer, "by_hand")
    told(layer, "x @ fc.weight.T + fc.bias")
    assert layer.session.calls() == calls
    layer.run("pass")
    assert layer.session.calls() == calls


def test_without_a_watch_it_is_told_how_to_have_one(layer: Notebook) -> None:
    text = explain(torch.ones(2), "a", layer.session, is_watched=False)
    assert text.splitlines()[1].startswith("  not traced to a recorded call; no call is watched: say `%twin on`")


def test_a_gradient_is_told_as_the_calls_with_its_formula(layer: Notebook) -> None:
    layer.run("y.sum().backward()")
    what, call, _ = told(layer, "fc.weight.grad")
    assert what == "fc.weight.grad: [2, 3] float32, cpu"
    assert call.startswith("  the weight gradient of `fc(x)`, cell [")
    assert call.endswith(": `g.T @ x`")
    assert told(layer, "fc.weight")[0].endswith(", requires grad, has a .grad")


@pytest.mark.parametrize("how", ["fc.zero_grad()", "fc.zero_grad(set_to_none=False)", "fc.weight.grad = None"])
def test_after_zero_grad_only_the_new_pass_is_told(layer: Notebook, how: str) -> None:
    layer.run(f"y.sum().backward()\n{how}\nfc(2 * x).sum().backward()")
    calls = [line for line in told(layer, "fc.weight.grad") if "gradient of" in line]
    assert [line.strip().split(",")[0] for line in calls] == ["the weight gradient of `fc(2 * x)`"]


def test_after_zero_grad_of_an_input_only_the_new_pass_is_told(layer: Notebook) -> None:
    layer.run("x.requires_grad_()\nfc(x).sum().backward()\nx.grad = None\nfc(x + 0).sum().backward()")
    layer.run("x.grad = None\n(3 * fc(x)).sum().backward()")
    calls = [line for line in told(layer, "x.grad") if "gradient of" in line]
    assert len(calls) == 1
    assert ", line 2:" in calls[0]


def test_a_gradient_that_was_changed_since_is_told_to_be_untraced(layer: Notebook) -> None:
    layer.run("y.sum().backward()\nfc.weight.grad.mul_(0.5)")
    assert told(layer, "fc.weight.grad")[1:] == ["  not traced to a recorded call"]


def test_each_call_whose_share_a_gradient_holds_is_told(layer: Notebook) -> None:
    layer.run("fc.zero_grad()\n(fc(x) + fc(2 * x)).sum().backward()")
    calls = [line.split(", ")[:2] for line in told(layer, "fc.weight.grad") if "gradient of" in line]
    assert calls == [
        ["  in it", "the weight gradient of `fc(2 * x)`"],
        ["  in it", "the weight gradient of `fc(x)`"],
    ]


def test_the_passes_of_a_loop_are_told_once_and_counted(layer: Notebook) -> None:
    layer.run("for _ in range(5):\n    fc(x).sum().backward()")
    calls = [line for line in told(layer, "fc.weight.grad") if "gradient of" in line]
    assert len(calls) == 1
    assert calls[0].endswith(": `g.T @ x` (5 calls)")


def test_calls_beyond_the_third_are_counted(layer: Notebook) -> None:
    layer.run("fc.zero_grad()")
    for _ in range(5):
        layer.run("fc(x).sum().backward()")
    lines = told(layer, "fc.weight.grad")
    assert len([line for line in lines if "gradient of" in line]) == 3
    assert lines[-1] == "  and 2 more calls"
    layer.run("fc(x).sum().backward()")
    assert told(layer, "fc.weight.grad")[-1] == "  and 3 more calls"


def test_of_calls_that_gave_the_same_only_the_one_that_made_it_is_told(layer: Notebook) -> None:
    layer.run("z = fc(x)")
    for words in ("y", "z", "z[1:]", "torch.tanh(y)"):
        assert len([line for line in told(layer, words) if "the output of" in line]) == 1, words
    assert ", line 3: " in told(layer, "y")[1]


def test_a_copy_may_come_from_any_call_that_gave_the_same(layer: Notebook) -> None:
    layer.run("z = fc(x)")
    assert len([line for line in told(layer, "y.detach().clone()") if "the output of" in line]) == 2


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("None", "`None` is None."),
        ("fc.weight.grad", "`fc.weight.grad` is None: no backward has reached it since it was made or zeroed."),
        ("'abc'", "`'abc'` is a str, which holds no numbers."),
        ("fc", "`fc` is a torch.nn.modules.linear.Linear, which holds no numbers."),
        ("x.to('meta')", "`x.to('meta')` is on the meta device and holds no values."),
        ("x.to_sparse()", "`x.to_sparse()` has the layout sparse_coo; compare `x.to_sparse().to_dense()`."),
    ],
)
def test_what_holds_no_readable_numbers_is_told_by_its_words(layer: Notebook, words: str, text: str) -> None:
    assert told(layer, words) == [text]


@pytest.mark.parametrize("value", [np.ones((2, 3)), [[1, 2, 3]], 0.5, torch.ones(2, 3, dtype=torch.int8)])
def test_numbers_of_any_kind_are_told_with_their_shape(notebook: Notebook, value: object) -> None:
    notebook.names["a"] = value
    what, origin = told(notebook, "a")
    assert what.startswith(f"a: {list(np.shape(value))} ")  # type: ignore[arg-type]
    assert origin == "  not traced to a recorded call"
