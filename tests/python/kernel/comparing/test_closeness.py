"""Where no bound decides: what is usual for rounding, by the size of what differs, and what it hardly does."""

from __future__ import annotations

import pytest
from tests.python.kernel.comparing.conftest import Ask
from tests.python.kernel.conftest import Notebook

from torchtwin.protocol import Verdict


def code(verdict: Verdict) -> str | None:
    return None if verdict.diagnosis is None else verdict.diagnosis.code


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        ("(q @ q.T).masked_fill(mask, -1e9)", "(q @ q.T / 8**0.5).masked_fill(mask, -1e9)"),
        ("torch.zeros(4, 4).masked_fill(mask, -1e9)", "(q @ q.T).masked_fill(mask, -1e9)"),
        ("torch.tensor([3e7, 12.0, 7.0])", "torch.tensor([3e7, 13.0, 7.0])"),
        ("torch.tensor([250000.0, 0.04])", "torch.tensor([250000.0, 0.05])"),
    ],
)
def test_large_elements_lend_no_tolerance_to_small_ones(
    notebook: Notebook, ask: Ask, actual: str, expected: str
) -> None:
    notebook.run("torch.manual_seed(0)\nq = torch.randn(4, 8)\nmask = torch.ones(4, 4).triu(1).bool()")
    for sides in ((actual, expected), (expected, actual)):
        verdict = ask(*sides).verdict
        assert (verdict.kind, verdict.proof) == ("different", False), verdict.message


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        ("(q.double() @ q.double().T).float().masked_fill(mask, -1e9)", "(q @ q.T).masked_fill(mask, -1e9)"),
        ("(x.double() @ x.double().T).float()", "x @ x.T"),
        ("(x.double().sum(0)).float()", "x.sum(0)"),
        ("(x.double() - x.double().mean(0)).float()", "x - x.mean(0)"),
        ("torch.sin(torch.arange(4) * torch.pi / 2)", "torch.tensor([0.0, 1.0, 0.0, -1.0])"),
        ("torch.linalg.inv(q[:3, :3]) @ q[:3, :3]", "torch.eye(3)"),
        ("torch.linalg.qr(q.T).Q.T @ torch.linalg.qr(q.T).Q", "torch.eye(4)"),
    ],
)
def test_honest_sums_are_rounding(notebook: Notebook, ask: Ask, actual: str, expected: str) -> None:
    notebook.run("q = torch.randn(4, 8)\nmask = torch.ones(4, 4).triu(1).bool()")
    for seed in range(10):
        notebook.run(f"torch.manual_seed({seed})\nx = torch.randn(30, 40) + {seed}")
        verdict = ask(actual, expected).verdict
        assert verdict.kind in ("identical", "rounding"), verdict.message


AMPLIFY = {"reciprocal": "1 / ({})", "logarithm": "({}).abs().log()", "tangent": "torch.tan({})"}


@pytest.mark.parametrize("name", AMPLIFY)
def test_what_is_computed_from_a_layer_and_amplifies_rounding_is_not_called_different(
    notebook: Notebook, ask: Ask, name: str
) -> None:
    for seed in range(10):
        notebook.run(f"torch.manual_seed({seed})\nfc, x = nn.Linear(40, 60), torch.randn(64, 40)")
        notebook.run("y = fc(x)\nhand = (x.double() @ fc.weight.double().T + fc.bias.double()).float()")
        verdict = ask(AMPLIFY[name].format("hand"), AMPLIFY[name].format("y")).verdict
        assert verdict.kind in ("rounding", "unchecked"), verdict.message


def test_a_bias_that_is_missing_is_told_where_the_bound_of_many_terms_would_let_it_pass(
    notebook: Notebook, ask: Ask
) -> None:
    notebook.run("torch.manual_seed(0)\nfc, x = nn.Linear(8192, 10), torch.randn(4, 8192)")
    notebook.run("y, right, wrong = fc(x), x @ fc.weight.T + fc.bias, x @ fc.weight.T")
    assert ask("right", "y").verdict.kind in ("identical", "rounding")
    for sides in (("wrong", "y"), ("y", "wrong")):
        verdict = ask(*sides).verdict
        assert (verdict.kind, verdict.proof, code(verdict)) == ("different", False, "missing_bias")
        assert verdict.diagnosis is not None
        assert verdict.diagnosis.message.startswith("`wrong` lacks the bias")


DEEP = """\
torch.manual_seed(0)
layers = [nn.Linear(64, 64, dtype={dtype}) for _ in range(12)]
x = torch.randn(16, 64, dtype={dtype})
h = x
for at, layer in enumerate(layers):
    h = torch.relu(layer(h)) if at < 11 else layer(h)
y = h
def by_hand(wrong):
    h = x
    for at, layer in enumerate(layers):
        w, b = layer.weight.detach(), layer.bias.detach()
        h = h @ (w if wrong == ("w", at) else w.T) + (0 if wrong == ("b", at) else b)
        h = torch.relu(h) if at < 11 else h
    return h
"""


@pytest.mark.parametrize("dtype", ["torch.float32", "torch.bfloat16", "torch.float16"])
@pytest.mark.parametrize("wrong", [("w", 11), ("b", 11)])
def test_the_wide_bound_of_many_layers_lets_no_mistake_pass_for_rounding(
    notebook: Notebook, ask: Ask, dtype: str, wrong: tuple[str, int]
) -> None:
    notebook.run(DEEP.format(dtype=dtype))
    assert ask("by_hand(None)", "y").verdict.kind in ("identical", "rounding")
    verdict = ask(f"by_hand({wrong})", "y").verdict
    assert verdict.kind in ("different", "unchecked"), verdict.message


def test_of_a_large_gradient_whose_operands_are_gone_a_factor_and_a_sign_are_told(notebook: Notebook, ask: Ask) -> None:
    notebook.run("torch.manual_seed(0)\nfc, x, t = nn.Linear(300, 300), torch.randn(300, 300), torch.randn(300, 300)")
    notebook.run("F.mse_loss(fc(x), t).backward()\nright = fc.weight.grad.clone()")
    assert ask("right", "fc.weight.grad").verdict.kind == "identical"
    for wrong, cause in (("2 * right", "scaled"), ("-right", "negated")):
        verdict = ask(wrong, "fc.weight.grad").verdict
        assert (verdict.kind, code(verdict)) == ("different", cause)
