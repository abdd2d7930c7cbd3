"""A result is only called different if it used the call's very operands, or if those are followed further back."""

from __future__ import annotations

import numpy as np
import pytest
from tests.python.kernel.comparing.conftest import Ask
from tests.python.kernel.conftest import Notebook

from torchtwin.protocol import Verdict

# A wide layer to one number, and back to three: what the first one rounds is all that the second one gets.
NARROW = """\
torch.manual_seed({seed})
x = torch.randn(256, 512)
a, b = nn.Linear(512, 1), nn.Linear(1, 3)
between = {between}
"""
BY_LAYERS = "y = b(between(a(x)))"
BY_HAND = "by_hand = between((x * a.weight).sum(-1, keepdim=True) + a.bias) @ b.weight.T + b.bias"
FUNCTIONS = {
    "square": "lambda h: h**2",
    "swish": "lambda h: h * torch.sigmoid(h)",
    "residual": "lambda h: h + torch.tanh(h)",
    "reciprocal": "lambda h: 1 / h",
    "layer_norm": "lambda h: F.layer_norm(h.reshape(16, 16), (16,)).reshape(256, 1)",
    "numpy": "lambda h: torch.from_numpy(h.detach().numpy() ** 3)",
}


def code(verdict: Verdict) -> str | None:
    return None if verdict.diagnosis is None else verdict.diagnosis.code


@pytest.mark.parametrize("between", FUNCTIONS)
@pytest.mark.parametrize("mode", ["torch.enable_grad()", "torch.no_grad()", "torch.inference_mode()"])
def test_an_honest_network_is_not_different_whatever_lies_between_its_layers(
    notebook: Notebook, ask: Ask, between: str, mode: str
) -> None:
    for seed in range(5):
        notebook.run(NARROW.format(seed=seed, between=FUNCTIONS[between]))
        notebook.run(f"with {mode}:\n    {BY_LAYERS}\n    {BY_HAND}")
        for sides in (("by_hand", "y"), ("y", "by_hand"), ("by_hand.detach().numpy()", "y")):
            verdict = ask(*sides).verdict
            assert verdict.kind in ("identical", "rounding", "unchecked"), verdict.message


def test_the_reason_names_the_operand_that_was_computed_itself(notebook: Notebook, ask: Ask) -> None:
    notebook.run(NARROW.format(seed=0, between="lambda h: 1 / h") + f"h = between(a(x))\ny = b(h)\n{BY_HAND}")
    verdict = ask("by_hand", "y").verdict
    assert verdict.kind == "unchecked"
    assert verdict.reason == (
        "`by_hand` and `y` are close, but further apart than the rounding of one layer; "
        "`h`, the input of `b(h)`, was computed itself, and each side may have rounded it otherwise"
    )


def test_without_a_graph_the_reason_names_the_call_that_may_come_before(notebook: Notebook, ask: Ask) -> None:
    notebook.run(NARROW.format(seed=0, between="lambda h: 1 / h"))
    notebook.run(f"with torch.no_grad():\n    h = between(a(x))\n    y = b(h)\n    {BY_HAND}")
    verdict = ask("by_hand", "y").verdict
    assert verdict.reason is not None
    assert verdict.reason.endswith(
        "`h`, the input of `b(h)`, may have been computed from the output of `a(x)`, which each side may have rounded "
        "otherwise"
    )


def test_without_a_graph_any_earlier_output_of_as_many_rows_may_come_before(notebook: Notebook, ask: Ask) -> None:
    notebook.run(NARROW.format(seed=0, between="lambda h: (1 / h).expand(256, 4)") + "b = nn.Linear(4, 3)")
    notebook.run("with torch.no_grad():\n    h = between(a(x))")
    notebook.run("y = b(h)")
    notebook.run(BY_HAND)
    assert ask("by_hand", "y").verdict.kind == "unchecked"


def test_a_small_error_after_the_very_same_hidden_tensor_is_different(notebook: Notebook, ask: Ask) -> None:
    notebook.run(NARROW.format(seed=0, between="torch.square") + "h = between(a(x))\ny = b(h)")
    notebook.run("wrong = h @ b.weight.T + b.bias\nwrong = wrong + 1e-5 * wrong.detach().abs().max()")
    verdict = ask("wrong", "y").verdict
    assert (verdict.kind, verdict.proof) == ("different", True)


def test_a_bias_that_is_missing_after_an_unknown_function_is_found(notebook: Notebook, ask: Ask) -> None:
    notebook.run(NARROW.format(seed=0, between="torch.square") + f"h = between(a(x))\ny = b(h)\n{BY_HAND} * 0")
    verdict = ask("by_hand", "y").verdict
    assert (verdict.kind, code(verdict)) == ("different", "missing_bias")


def test_an_error_that_is_large_is_different_without_a_proof(notebook: Notebook, ask: Ask) -> None:
    notebook.run(NARROW.format(seed=0, between="torch.square") + f"{BY_LAYERS}\n{BY_HAND}")
    notebook.run("wrong = by_hand + x[:, :3]")
    verdict = ask("wrong", "y").verdict
    assert (verdict.kind, verdict.proof, code(verdict)) == ("different", False, "unexplained")
    assert verdict.note is not None
    assert "no proof: " in verdict.note
    assert "the input of `b(between(a(x)))`, was computed itself" in verdict.note


def test_the_input_of_an_earlier_call_was_not_computed_from_its_output(notebook: Notebook, ask: Ask) -> None:
    """Data that a layer saw before, under no_grad: no other layer's output leads to it."""
    notebook.run("fc, other = nn.Linear(8, 8), nn.Linear(8, 8)\nx = torch.randn(5, 8)")
    notebook.run("with torch.no_grad():\n    other(x)\n    y = fc(x)\n    wrong = y * (1 + 1e-4)")
    verdict = ask("wrong", "y").verdict
    assert (verdict.kind, verdict.proof) == ("different", True)


def test_a_computed_weight_is_rounded_by_each_side(notebook: Notebook, ask: Ask) -> None:
    """A low-rank update, added to the weight or applied apart."""
    notebook.run(
        "w = torch.randn(16, 16, requires_grad=True)\nA = 1e3 * torch.randn(64, 16, requires_grad=True)\n"
        "B = torch.randn(16, 64, requires_grad=True)\nx = torch.randn(9, 16)\n"
        "B = B - (B @ A) @ torch.linalg.pinv(A)\n"  # so that what is added up cancels
        "y = F.linear(x, w + B @ A)\nby_hand = x @ w.T + (x @ A.T) @ B.T"
    )
    verdict = ask("by_hand", "y").verdict
    assert verdict.kind != "different"
    assert ask("x @ (w + B @ A).T", "y").verdict.kind != "different"
    assert code(ask("y + 1", "y").verdict) is not None


LOSSES = {
    "squares": ("((out - t) ** 2).mean()", "2 * (out - t) / out.numel()"),
    "cross entropy": ("F.cross_entropy(out, t.argmax(-1))", "(softmax(out) - F.one_hot(t.argmax(-1), 3)) / len(out)"),
    "logistic": (
        "F.binary_cross_entropy_with_logits(out, (t > 0).float())",
        "(1 / (1 + torch.exp(-out)) - (t > 0).float()) / out.numel()",
    ),
}
BACKWARD = """\
torch.manual_seed({seed})
def softmax(rows):
    e = rows.exp()
    return e / e.sum(1, keepdim=True)
x = torch.randn({batch}, 50) * {size}
fc = nn.Linear(50, 3)
t = {target}
out = fc(x)
({loss}).backward()
out = (x[:, None] * fc.weight.detach()).sum(-1) + fc.bias.detach()
g = {gradient}
dw, db = g.T @ x, g.sum(0)
"""


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("batch", [1, 5])
@pytest.mark.parametrize("target", ["torch.randn(out_shape)", "fc(x).detach() * (1 + 1e-6)"])
def test_an_honest_gradient_is_not_different_whatever_the_loss(
    notebook: Notebook, ask: Ask, loss: str, batch: int, target: str
) -> None:
    of, gradient = LOSSES[loss]
    target = target.replace("out_shape", f"{batch}, 3")
    for seed, size in enumerate([1, 8] * 3):
        of_seed = {"seed": seed, "size": size, "batch": batch, "target": target, "loss": of, "gradient": gradient}
        notebook.run(BACKWARD.format(**of_seed))
        for sides in (("dw", "fc.weight.grad"), ("fc.bias.grad", "db")):
            verdict = ask(*sides).verdict
            assert verdict.kind in ("identical", "rounding", "unchecked"), f"{seed} {verdict.message}"


def test_at_the_end_of_a_training_a_gradient_may_be_rounding_alone(notebook: Notebook, ask: Ask) -> None:
    of, gradient = LOSSES["squares"]
    target = "fc(x).detach() * (1 + 1e-6)"
    notebook.run(BACKWARD.format(seed=0, batch=5, size=8, target=target, loss=of, gradient=gradient))
    verdict = ask("dw", "fc.weight.grad").verdict
    assert verdict.kind == "unchecked"
    assert verdict.reason == (
        "`dw` and `fc.weight.grad` are so small that they may be little else than rounding; `fc(x)` got a gradient "
        "that was computed on the way, from outputs that another computation rounds otherwise"
    )


@pytest.mark.parametrize(("wrong", "cause"), [("2 * dw", "scaled"), ("-dw", "negated"), ("dw.flip(0)", "permuted")])
def test_a_gradient_of_any_loss_that_is_wrong_in_a_known_way_is_different(
    notebook: Notebook, ask: Ask, wrong: str, cause: str
) -> None:
    of, gradient = LOSSES["cross entropy"]
    notebook.run(BACKWARD.format(seed=0, batch=5, size=1, target="torch.randn(5, 3)", loss=of, gradient=gradient))
    verdict = ask(wrong, "fc.weight.grad").verdict
    assert (verdict.kind, code(verdict)) == ("different", cause)


def test_a_gradient_that_does_not_depend_on_the_output_is_proven_to_the_last_element(
    notebook: Notebook, ask: Ask
) -> None:
    notebook.run("fc = nn.Linear(5, 3)\nx = torch.randn(4, 5)\nfc(x).mean().backward()\ng = torch.ones(4, 3) / 12")
    assert ask("g.T @ x", "fc.weight.grad").verdict.proof
    notebook.run("wrong = g.T @ x\nwrong[1, 2] *= 1 + 1e-4")
    verdict = ask("wrong", "fc.weight.grad").verdict
    assert (verdict.kind, verdict.proof, code(verdict)) == ("different", True, "partial")


def test_of_a_result_of_zeros_only_the_graph_tells_where_it_comes_from(notebook: Notebook, ask: Ask) -> None:
    notebook.run("fc = nn.Linear(4, 3)\nx = torch.randn(5, 4)\nfc.bias.data.fill_(-60.0)\ny = torch.relu(fc(x))")
    verdict = ask("torch.zeros(5, 3)", "torch.zeros(5, 3)").verdict
    assert (verdict.kind, verdict.proof) == ("identical", False)
    assert ask("torch.zeros(5, 3)", "y").verdict.proof


HONEST = {
    "a merge of two layers": (
        "a, b, m = nn.Linear(4, 64), nn.Linear(64, 8), nn.Linear(4, 8)\nx = torch.randn(16, 4)\n"
        "with torch.no_grad():\n    m.weight.copy_(b.weight @ a.weight)\n    m.bias.copy_(b.weight @ a.bias + b.bias)",
        "y = b(a(x))\nhand = m(x)",
    ),
    "a merge against both layers by hand": (
        "a, b, m = nn.Linear(4, 64), nn.Linear(64, 8), nn.Linear(4, 8)\nx = torch.randn(16, 4)\n"
        "with torch.no_grad():\n    m.weight.copy_(b.weight @ a.weight)\n    m.bias.copy_(b.weight @ a.bias + b.bias)",
        "y = m(x)\nhand = (x @ a.weight.T + a.bias) @ b.weight.T + b.bias",
    ),
    "a weight too large for a copy, changed where nothing counts it": (
        "fc = nn.Linear(512, 256)\nx = torch.randn(16, 512)",
        "y = fc(x)\nhand = x @ fc.weight.T + fc.bias\nfc.weight.data -= 0.1",
    ),
    "an input too large for a copy, changed in NumPy": (
        "fc = nn.Linear(300, 4)\nbuffer = np.random.randn(300, 300).astype('float32')\nx = torch.from_numpy(buffer)",
        "y = fc(x)\nhand = x @ fc.weight.T + fc.bias\nbuffer[:] = 0",
    ),
    "a layer norm without a graph": (
        "fc, ln = nn.Linear(8, 8), nn.LayerNorm(8)\nx = 300 + torch.randn(16, 8)\n"
        "def by_hand(x):\n    x = x.double()\n"
        "    return ((x - x.mean(-1, keepdim=True)) / (x.var(-1, correction=0, keepdim=True) + 1e-5).sqrt()).float()",
        "with torch.no_grad():\n    y = fc(ln(x))\n    hand = by_hand(x) @ fc.weight.T + fc.bias",
    ),
    "a weight that was centred without a graph": (
        "W, X = 1e4 + torch.randn(8, 8), torch.randn(16, 8)",
        "y = F.linear(X, W - W.mean(1))\nhand = X @ (W.double() - W.double().mean(1)).float().T",
    ),
}


@pytest.mark.parametrize("name", HONEST)
@pytest.mark.parametrize("is_first", [True, False])
def test_operands_that_need_not_be_the_very_same_prove_no_difference(
    notebook: Notebook, ask: Ask, name: str, is_first: bool
) -> None:
    notebook.names["np"] = np
    made, compared = HONEST[name]
    for seed in range(5):
        notebook.run(f"torch.manual_seed({seed})\n{made}")
        notebook.run(compared)
        verdict = ask(*(("hand", "y") if is_first else ("y", "hand"))).verdict
        assert verdict.kind in ("identical", "rounding", "unchecked"), verdict.message


SUM_OF_PRODUCTS = "(x[:, None] * fc.weight.detach()).sum(-1) + fc.bias.detach()"
BACKWARDS = {
    "a gradient of the user's, computed from the output": "out.backward(2 * (out.detach() - t))",
    "a hook on the output": "out.register_hook(lambda g: g * 2 * (out.detach() - t))\nout.sum().backward()",
    "an output that is expanded": "out.expand(1000, 5, 3).backward(2 * (out.detach() - t).expand(1000, 5, 3) / 1000)",
}


@pytest.mark.parametrize("name", BACKWARDS)
@pytest.mark.parametrize("in_one_cell", [True, False])
def test_a_gradient_computed_from_an_output_is_not_taken_for_data(
    notebook: Notebook, ask: Ask, name: str, in_one_cell: bool
) -> None:
    for seed in range(5):
        notebook.run(
            f"torch.manual_seed({seed})\nfc, x = nn.Linear(300, 3), torch.randn(5, 300)\n"
            "t = fc(x).detach() * (1 + 1e-3 * torch.randn(5, 3))"
        )
        cells = ["out = fc(x)", BACKWARDS[name]]
        for cell in ["\n".join(cells)] if in_one_cell else cells:
            notebook.run(cell)
        notebook.run(
            "g = 2 * ((x[:, None] * fc.weight.detach()).sum(-1) + fc.bias.detach() - t)\ndw, db = g.T @ x, g.sum(0)"
        )
        for sides in (("dw", "fc.weight.grad"), ("db", "fc.bias.grad")):
            verdict = ask(*sides).verdict
            assert verdict.kind in ("identical", "rounding", "unchecked"), verdict.message


def test_a_gradient_that_stood_in_a_variable_before_the_call_is_data(notebook: Notebook, ask: Ask) -> None:
    notebook.run("fc, x, g = nn.Linear(5, 3), torch.randn(4, 5), torch.randn(4, 3)")
    notebook.run("fc(x).backward(g)")
    notebook.run("wrong = g.T @ x\nwrong[1, 2] *= 1 + 1e-4")
    verdict = ask("wrong", "fc.weight.grad").verdict
    assert (verdict.kind, verdict.proof) == ("different", True)


@pytest.mark.parametrize("dtype", ["torch.float32", "torch.bfloat16", "torch.float64"])
@pytest.mark.parametrize("factor", ["2 * (out.detach() - t)", "1e-320"])
def test_a_single_number_that_a_hook_made_is_not_taken_for_data(
    notebook: Notebook, ask: Ask, dtype: str, factor: str
) -> None:
    for seed in range(30):
        notebook.run(
            f"torch.manual_seed({seed})\nfc, x = nn.Linear(30, 1, dtype={dtype}), torch.randn(1, 30, dtype={dtype})\n"
            "t = fc(x).detach() * 1.0001"
        )
        notebook.run(f"out = fc(x)\nout.register_hook(lambda g: g * {factor})\nout.sum().backward()")
        notebook.run("out = (x[:, None] * fc.weight.detach()).sum(-1) + fc.bias.detach()")
        notebook.run(f"g = ({factor}) * torch.ones(1, 1, dtype={dtype})\ndw = g.T @ x")
        verdict = ask("dw", "fc.weight.grad").verdict
        assert verdict.kind in ("identical", "rounding", "unchecked"), verdict.message


def test_few_numbers_in_doubt_are_no_wrong_formulas(notebook: Notebook, ask: Ask) -> None:
    """One sample at the end of a training: what is left of the error is rounding, of either sign."""
    for seed in range(60):
        notebook.run(
            f"torch.manual_seed({seed})\nfc, x = nn.Linear(3, 1), torch.randn(1, 3)\nt = fc(x).detach() + 3e-8"
        )
        notebook.run("out = fc(x)\n((out - t) ** 2).mean().backward()")
        notebook.run(f"g = 2 * ({SUM_OF_PRODUCTS} - t)\ndw = g.T @ x")
        assert ask("dw", "fc.weight.grad").verdict.kind != "different"


def test_an_output_of_what_is_left_of_a_subtraction_may_be_rounding_alone(notebook: Notebook, ask: Ask) -> None:
    notebook.run("def linear(x, fc):\n    return (x[:, None] * fc.weight.detach()).sum(-1)")
    for seed in range(60):
        notebook.run(
            f"torch.manual_seed({seed})\nfc1, fc2 = nn.Linear(3, 1, bias=False), nn.Linear(1, 1, bias=False)\n"
            "x = torch.randn(1, 3)\nt = fc1(x).detach()"
        )
        notebook.run("y = fc2(fc1(x.clone()) - t * (1 + 1e-7))")
        notebook.run("hand = linear(linear(x, fc1) - t * (1 + 1e-7), fc2)")
        verdict = ask("hand", "y").verdict
        assert verdict.kind != "different", verdict.message


def test_a_single_number_is_not_traced_by_its_bits(notebook: Notebook, ask: Ask) -> None:
    notebook.run(
        "fc = nn.Linear(1, 1, bias=False)\nfc.weight.data.fill_(1.0)\nout = fc(torch.ones(1, 1))\n"
        "p = torch.softmax(torch.randn(5), 0)"
    )
    verdict = ask("p.sum()", "torch.tensor(1.0)").verdict
    assert not verdict.proof


def test_batches_of_data_that_stood_before_are_data_in_a_loop_without_a_graph(notebook: Notebook, ask: Ask) -> None:
    notebook.run("fc, data = nn.Linear(6, 4), torch.randn(30, 6)")
    notebook.run("with torch.no_grad():\n    for x in data.split(10):\n        y = fc(x)")
    notebook.run("wrong = y.clone()\nwrong[2, 1] += 1e-3")
    verdict = ask("wrong", "y").verdict
    assert (verdict.kind, verdict.proof, code(verdict)) == ("different", True, "partial")


def test_words_with_grad_in_them_are_no_gradients(notebook: Notebook, ask: Ask) -> None:
    notebook.run("base = torch.randn(50)\nupgrade = base.clone()\nupgrade[3] *= 1.01")
    assert ask("upgrade", "base").verdict.kind == "different"
