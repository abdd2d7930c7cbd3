"""Two results held against each other: what is proven, what is judged by the values, and what can't be compared."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from tests.python.kernel.comparing.conftest import Ask
from tests.python.kernel.conftest import Notebook

import torchtwin
from torchtwin.protocol import Verdict

SETUP = """\
fc = nn.Linear(4, 4)
x = torch.randn(5, 4)
y = fc(x)
hand = x.double() @ fc.weight.double().T + fc.bias.double()
"""
CHAIN = """\
fc1, fc2 = nn.Linear(20, 30), nn.Linear(30, 5)
x = torch.randn(7, 20)
h = torch.relu(fc1(x))
y = fc2(h)
"""
HIDDEN = "x.double() @ fc1.weight.double().T + fc1.bias.double()"
BY_HAND = f"torch.relu({HIDDEN}) @ fc2.weight.double().T + fc2.bias.double()"


@pytest.fixture
def layer(notebook: Notebook) -> Notebook:
    notebook.run(SETUP)
    return notebook


@pytest.fixture
def chain(notebook: Notebook) -> Notebook:
    notebook.run(CHAIN)
    return notebook


def code(verdict: Verdict) -> str | None:
    return None if verdict.diagnosis is None else verdict.diagnosis.code


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        ("hand", "y"),
        ("y", "hand"),
        ("hand[2]", "y[2]"),
        ("hand[1:4, ::2]", "y[1:4, ::2]"),
        ("hand.T", "y.T"),
        ("hand.reshape(2, 10)", "y.view(2, 10)"),
        ("hand[:1].expand(3, 4)", "y[:1].expand(3, 4)"),
        ("hand.detach().numpy()", "y"),
        ("hand.tolist()", "y"),
        ("hand", "y.detach()"),
        ("hand", "y.data"),
        ("hand", "y.detach().numpy()"),
        ("hand", "y.clone()"),
        ("hand.sum()", "y.sum()"),
        ("hand.mean()", "y.mean()"),
        ("hand.relu()", "y.relu()"),
        ("hand.tanh()", "torch.tanh(y)"),
        ("F.gelu(hand)", "F.gelu(y)"),
        ("F.silu(hand)", "F.silu(y)"),
    ],
)
def test_a_float64_formula_is_proven_to_be_the_layers_but_for_rounding(
    layer: Notebook, ask: Ask, actual: str, expected: str
) -> None:
    verdict = ask(actual, expected).verdict
    assert (verdict.kind, verdict.proof) == ("rounding", True), verdict.message
    assert verdict.note is not None
    assert "proven: the operands of" in verdict.note


@pytest.mark.parametrize("words", ["y * 2", "y.softmax(-1)", "y.flip(0)", "y.sum(0)", "y + 1"])
def test_what_follows_from_a_call_in_another_way_is_no_proof(layer: Notebook, ask: Ask, words: str) -> None:
    verdict = ask(words.replace("y", "hand"), words).verdict
    assert (verdict.kind, verdict.proof) == ("rounding", False)
    assert verdict.note == "judged by the values alone: neither side was traced to a recorded call"


def test_an_output_that_was_changed_since_is_no_proof(layer: Notebook, ask: Ask) -> None:
    layer.run("y.detach().add_(1)")
    verdict = ask("hand + 1", "y").verdict
    assert (verdict.kind, verdict.proof) == ("rounding", False)


def test_the_figures_are_those_of_numpy(layer: Notebook, ask: Ask) -> None:
    verdict = ask("hand.float()", "y").verdict
    x, w, b, y = (eval(it, layer.names).detach().numpy() for it in ("x", "fc.weight", "fc.bias", "y"))
    exact = x.astype(float) @ w.astype(float).T + b
    apart = np.abs(exact.astype(np.float32).astype(float) - y)
    units = apart / (2.0**-24 * (np.abs(x).astype(float) @ np.abs(w).T + np.abs(b)))
    assert verdict.max_abs_diff == apart.max()
    assert verdict.units == pytest.approx(units.max(), rel=1e-6)
    assert verdict.equal_elements == int((apart == 0).sum())
    assert verdict.bound == pytest.approx(2 * 5 / (1 - 5 * 2.0**-24), rel=1e-4)  # two results, K + 1 = 5


@pytest.mark.parametrize(
    ("wrong", "cause", "advice"),
    [
        ("x @ fc.weight + fc.bias", "missing_transpose", "lacks the transpose: it is `x @ fc.weight + fc.bias`."),
        ("x @ fc.weight.T", "missing_bias", "lacks the bias: it is `x @ fc.weight.T`."),
        ("x @ fc.weight.T + fc.bias + fc.bias", "bias_twice", "adds the bias twice: it is"),
        ("3 * hand", "scaled", "is 3 times `y`. Divide by 3."),
        ("-hand", "negated", "is `y` with the other sign."),
        ("hand.flip(1)", "permuted", "Write `wrong.flip(1)`."),
    ],
)
@pytest.mark.parametrize("wrong_first", [True, False])
def test_the_wrong_side_is_the_one_that_is_diagnosed(
    layer: Notebook, ask: Ask, wrong: str, cause: str, advice: str, wrong_first: bool
) -> None:
    layer.run(f"wrong = {wrong}")
    verdict = ask(*(("wrong", "y") if wrong_first else ("y", "wrong"))).verdict
    assert (verdict.kind, verdict.proof, code(verdict)) == ("different", True, cause)
    assert verdict.diagnosis is not None
    assert "`wrong` " in verdict.diagnosis.message
    assert advice in verdict.diagnosis.message


def test_what_was_written_is_not_told_again(layer: Notebook, ask: Ask) -> None:
    verdict = ask("x @ fc.weight.T", "y").verdict
    assert verdict.diagnosis is not None
    assert verdict.diagnosis.message == "`x @ fc.weight.T` lacks the bias. Write `x @ fc.weight.T + fc.bias`."


def test_where_the_layer_itself_is_wrong_it_is_the_one_that_is_diagnosed(layer: Notebook, ask: Ask) -> None:
    layer.run("y.data.mul_(2)")  # which no version counts
    verdict = ask("hand", "y").verdict
    assert code(verdict) == "scaled"
    assert verdict.diagnosis is not None
    assert verdict.diagnosis.message.startswith("`y` is 2 times")


def test_a_chain_of_layers_by_hand_is_proven(chain: Notebook, ask: Ask) -> None:
    verdict = ask(BY_HAND, "y").verdict
    assert (verdict.kind, verdict.proof) == ("rounding", True)


def test_a_chain_is_proven_by_the_wider_bound_of_the_layers_before(notebook: Notebook, ask: Ask) -> None:
    """The first layer cancels: its rounding is far larger than what the second one alone can do."""
    notebook.run(
        """\
fc1, fc2 = nn.Linear(3, 1), nn.Linear(1, 1)
x = torch.tensor([[1e4 / 3, 1e3 / 7, 1.0]])
fc1.weight.data = torch.tensor([[1.1, 2.3, 1.0]])
fc1.bias.data = -(x.double() @ fc1.weight.double().T)[0].float().data
z = fc2(fc1(x))
"""
    )
    hidden = eval(f"float(({HIDDEN}).detach())", notebook.names)
    assert abs(hidden) < 1e-3
    honest = f"({HIDDEN}) @ fc2.weight.double().T + fc2.bias.double()"
    verdict = ask(honest, "z").verdict
    assert (verdict.kind, verdict.proof) == ("rounding", True), verdict.message
    assert verdict.note is not None
    assert verdict.note.endswith("and of the layers before it are known")
    assert ask(f"{honest} + 1e-2", "z").verdict.kind == "different"


def test_a_bias_missing_in_the_last_layer_of_a_chain_is_found(chain: Notebook, ask: Ask) -> None:
    verdict = ask(BY_HAND.removesuffix(" + fc2.bias.double()"), "y").verdict
    assert (verdict.kind, verdict.proof, code(verdict)) == ("different", True, "missing_bias")
    assert verdict.diagnosis is not None
    assert verdict.diagnosis.message.endswith("Write `h @ fc2.weight.T + fc2.bias`.")


@pytest.mark.parametrize("wrong", [BY_HAND.replace(" + fc1.bias.double()", ""), BY_HAND.replace("torch.relu", "")])
def test_a_mistake_in_an_earlier_layer_is_different(chain: Notebook, ask: Ask, wrong: str) -> None:
    verdict = ask(wrong, "y").verdict
    assert (verdict.kind, verdict.proof) == ("different", True)


def test_a_small_error_after_the_very_same_hidden_tensor_is_not_hidden_by_the_chain(chain: Notebook, ask: Ask) -> None:
    """Three times what one layer may round, which is less than what two may."""
    names = chain.names
    h, w, b = (eval(it, names).detach().double().numpy() for it in ("h", "fc2.weight", "fc2.bias"))
    bound = (31 * 2.0**-24 * (np.abs(h) @ np.abs(w).T + np.abs(b)))[2, 3]
    names["error"] = torch.zeros(7, 5).index_put((torch.tensor(2), torch.tensor(3)), torch.tensor(3 * bound).float())
    verdict = ask("h @ fc2.weight.T + fc2.bias + error", "y").verdict
    assert (verdict.kind, verdict.proof, code(verdict)) == ("different", True, "partial")
    assert verdict.diagnosis is not None
    assert "Only the element at [2, 3] of" in verdict.diagnosis.message
    assert ask(f"{BY_HAND} + error", "y").verdict.kind == "rounding"


@pytest.mark.parametrize("activation", ["torch.relu", "torch.tanh", "F.gelu", "torch.sigmoid"])
def test_a_unit_that_an_activation_has_switched_off_lets_no_error_pass(
    notebook: Notebook, ask: Ask, activation: str
) -> None:
    notebook.run(f"fc = nn.Linear(4, 3)\nfc.bias.data.fill_(-60.0)\nx = torch.randn(5, 4)\nz = {activation}(fc(x))")
    verdict = ask("z + 1e-3", "z").verdict
    assert (verdict.kind, verdict.proof) == ("different", True)


def test_after_an_optimizers_step_the_call_is_judged_by_the_weight_that_it_had(layer: Notebook, ask: Ask) -> None:
    layer.run("y.sum().backward()\ntorch.optim.SGD(fc.parameters(), lr=0.5).step()")
    assert ask("hand", "y").verdict.kind == "rounding"
    verdict = ask("x @ fc.weight.T + fc.bias", "y").verdict
    assert (verdict.kind, verdict.proof, code(verdict)) == ("different", True, "stale_operand")
    assert verdict.diagnosis is not None
    assert verdict.diagnosis.message == (
        "`x @ fc.weight.T + fc.bias` is computed with `fc.weight` as it became after the call. "
        "Call the layer anew: its output is from before the change."
    )


def test_a_formula_with_the_weight_of_an_earlier_call_is_told_as_stale(layer: Notebook, ask: Ask) -> None:
    layer.run("old = hand\nfc.weight.data.mul_(1.5)\nfc.bias.data.add_(1)\ny2 = fc(x)")
    verdict = ask("old", "y2").verdict
    assert (verdict.kind, code(verdict)) == ("different", "stale_operand")
    assert verdict.diagnosis is not None
    assert "`fc.weight` as it was before it was changed" in verdict.diagnosis.message
    assert code(ask("hand + 0 * y2", "y").verdict) is None


@pytest.mark.parametrize("dtype", ["half", "bfloat16"])
def test_low_precision_sums_in_pieces_are_unchecked_with_the_reason(notebook: Notebook, ask: Ask, dtype: str) -> None:
    notebook.run(
        f"fc = nn.Linear(512, 8).{dtype}()\nx = torch.randn(4, 512).{dtype}()\ny = fc(x)\n"
        f"pieces = torch.zeros(4, 8).{dtype}()\n"
        "for k in range(512):\n    pieces = pieces + x[:, k:k+1] * fc.weight.T[k:k+1]\npieces = pieces + fc.bias"
    )
    verdict = ask("pieces", "y").verdict
    assert verdict.kind == "unchecked"
    assert verdict.reason is not None
    assert "as close as sums in pieces are that are rounded to" in verdict.reason
    assert code(ask("x @ fc.weight.T", "y").verdict) == "missing_bias"
    assert ask("x.double() @ fc.weight.double().T + fc.bias.double()", "y").verdict.kind == "rounding"


def test_a_lower_precision_on_one_side_is_judged_by_its_own_rounding(layer: Notebook, ask: Ask) -> None:
    for words in ("hand.half()", "hand.bfloat16()", "x.bfloat16() @ fc.weight.bfloat16().T + fc.bias.bfloat16()"):
        verdict = ask(words, "y").verdict
        assert (verdict.kind, verdict.proof) == ("rounding", True), words
    assert ask("(hand * 1.1).bfloat16()", "y").verdict.kind == "different"
    assert ask("hand.bfloat16().float()", "y").verdict.kind == "different"  # float32 promises more


@pytest.mark.parametrize("low_first", [True, False])
def test_of_two_dtypes_the_less_precise_one_judges_without_a_call_as_well(ask: Ask, low_first: bool) -> None:
    low, high = "torch.arange(1., 5.).bfloat16()", "torch.arange(1., 5.).double() * (1 + 1e-3)"
    verdict = ask(*((low, high) if low_first else (high, low))).verdict
    assert (verdict.kind, verdict.proof) == ("rounding", False)


GRADIENTS = {
    "fc.weight.grad": "g.double().T @ x.double()",
    "fc.bias.grad": "g.double().sum(0)",
    "x.grad": "g.double() @ fc.weight.double()",
}


@pytest.fixture
def backward(notebook: Notebook) -> Notebook:
    notebook.run("fc = nn.Linear(4, 4)\nx = torch.randn(6, 4, requires_grad=True)\ng = torch.randn(6, 4)")
    notebook.run("fc(x).backward(g)")
    return notebook


@pytest.mark.parametrize("gradient", GRADIENTS)
def test_a_gradient_by_hand_is_proven(backward: Notebook, ask: Ask, gradient: str) -> None:
    verdict = ask(GRADIENTS[gradient], gradient).verdict
    assert (verdict.kind, verdict.proof) == ("rounding", True)
    assert verdict.note == f"proven: the operands of `{gradient}` are known"


@pytest.mark.parametrize("gradient", GRADIENTS)
@pytest.mark.parametrize(
    ("change", "cause", "words"),
    [
        ("2 * ({})", "scaled", "is 2 times"),
        ("({}) / 6", "scaled", "a mean over the batch (6) in place of a sum"),
        ("({}) / 24", "scaled", "a mean over all elements of the output (24) in place of a sum"),
        ("1024 * ({})", "scaled", "a loss scale that was not taken back"),
        ("65536 * ({})", "scaled", "a loss scale that was not taken back"),
        ("0.37 * ({})", "scaled", "it was clipped, as `clip_grad_norm_` does"),
        ("-({})", "negated", "with the other sign"),
        ("({}).flip(0)", "permuted", "in reverse"),
    ],
)
def test_a_changed_gradient_is_diagnosed(
    backward: Notebook, ask: Ask, gradient: str, change: str, cause: str, words: str
) -> None:
    verdict = ask(change.format(GRADIENTS[gradient]), gradient).verdict
    assert (verdict.kind, verdict.proof, code(verdict)) == ("different", True, cause)
    assert verdict.diagnosis is not None
    assert words in verdict.diagnosis.message


def test_a_square_weights_gradient_the_wrong_way_round_lacks_a_transpose(backward: Notebook, ask: Ask) -> None:
    assert code(ask("x.T @ g", "fc.weight.grad").verdict) == "missing_transpose"


def test_of_two_passes_the_sum_is_proven_and_one_alone_is_told(backward: Notebook, ask: Ask) -> None:
    backward.run("fc(x).backward(g)")
    assert ask("2 * (g.T @ x)", "fc.weight.grad").verdict.kind in ("identical", "rounding")
    verdict = ask("g.T @ x", "fc.weight.grad").verdict
    assert (verdict.kind, verdict.proof, code(verdict)) == ("different", True, "scaled")
    assert verdict.diagnosis is not None
    assert verdict.diagnosis.message.endswith("`fc.weight.grad` holds 2 passes.")


def test_a_gradient_that_was_clipped_or_added_to_is_no_proof(backward: Notebook, ask: Ask) -> None:
    backward.run("fc.weight.grad.mul_(0.5)")
    assert ask("g.T @ x", "fc.weight.grad").verdict.proof is False


@pytest.mark.parametrize(
    ("actual", "expected", "words"),
    [
        ("torch.ones(4, 1)", "torch.ones(4)", "(4, 1) met (4,): `==` and `-` broadcast both to (4, 4), every element"),
        ("torch.ones(2, 3)", "torch.ones(4)", "(2, 3) met (4,): the two don't broadcast."),
        (
            "torch.ones(2, 3)",
            "torch.zeros(3)",
            "`==` and `-` broadcast the smaller to (2, 3). `torch.ones(2, 3)` has 6",
        ),
        ("torch.arange(6.).reshape(2, 3)", "torch.arange(6.).reshape(2, 3).T", "Transposed they agree: write `torch"),
        ("torch.arange(6.).reshape(2, 3)", "torch.arange(6.)", "Write `torch.arange(6.).reshape(2, 3).reshape(6)`."),
        ("torch.zeros(0, 3)", "torch.zeros(2, 3)", "(0, 3) met (2, 3)"),
    ],
)
def test_other_shapes_are_different_and_what_met_is_told(ask: Ask, actual: str, expected: str, words: str) -> None:
    verdict = ask(actual, expected).verdict
    assert (verdict.kind, code(verdict)) == ("different", "shape")
    assert verdict.diagnosis is not None
    assert words in verdict.diagnosis.message


@pytest.mark.parametrize(
    ("actual", "expected", "kind"),
    [
        ("torch.tensor([1, 2])", "torch.tensor([1, 2])", "identical"),
        ("torch.tensor([1, 2])", "torch.tensor([1, 3])", "different"),
        ("torch.tensor([True])", "torch.tensor([1])", "identical"),
        ("torch.tensor([True])", "torch.tensor([False])", "different"),
        ("torch.tensor([1, 2])", "torch.tensor([1., 2.])", "identical"),
        ("torch.tensor([1, 2])", "torch.tensor([1., 2.5])", "different"),
        ("torch.tensor([2**53 + 1])", "torch.tensor([2**53])", "different"),
        ("torch.tensor([1, 2], dtype=torch.uint16)", "torch.tensor([1, 2])", "identical"),
        ("torch.tensor([1, 2], dtype=torch.uint32)", "torch.tensor([1, 3], dtype=torch.uint8)", "different"),
        ("torch.tensor([2**64 - 1], dtype=torch.uint64)", "torch.tensor([-1])", "different"),
        ("torch.tensor([2**64 - 1], dtype=torch.uint64)", "torch.tensor([2**64 - 1], dtype=torch.uint64)", "identical"),
        ("torch.tensor([1 + 2j])", "torch.tensor([1 + 2j])", "identical"),
        ("torch.tensor([1 + 2j])", "torch.tensor([1 - 2j])", "different"),
        ("torch.tensor([1 + 2j]).conj()", "torch.tensor([1 - 2j])", "identical"),
        ("torch.tensor([1 + 0j])", "torch.tensor([1.])", "identical"),
        ("torch.tensor([1 + 1j])", "torch.tensor([1])", "different"),
        ("torch.zeros(0)", "[]", "identical"),
        ("torch.ones(2)", "[1, 1]", "identical"),
        ("torch.tensor(0.5)", "0.5", "identical"),
        ("torch.tensor([float('nan')])", "[float('nan')]", "identical"),
        ("torch.tensor([float('inf')])", "[float('-inf')]", "different"),
        ("torch.tensor([1.])", "[float('nan')]", "different"),
    ],
)
def test_values_of_any_kind_are_judged_and_not_called_a_proof(ask: Ask, actual: str, expected: str, kind: str) -> None:
    verdict = ask(actual, expected).verdict
    assert (verdict.kind, verdict.proof, verdict.coverage) == (kind, False, "all")
    assert (verdict.diagnosis is None) == (kind == "identical")


@pytest.mark.parametrize("wrong_first", [True, False])
def test_nan_on_one_side_is_told_with_its_first_place(layer: Notebook, ask: Ask, wrong_first: bool) -> None:
    layer.run("spoiled = hand.clone()\nspoiled[1, 2] = float('nan')\nspoiled[3, 3] = float('inf')")
    verdict = ask(*(("spoiled", "y") if wrong_first else ("y", "spoiled"))).verdict
    assert (verdict.kind, code(verdict)) == ("different", "nonfinite")
    assert verdict.diagnosis is not None
    assert verdict.diagnosis.message.startswith("`spoiled` has NaN at [1, 2] (and 1 more), where the exact result is ")


def test_a_finite_number_where_the_layer_gives_nan_is_told(layer: Notebook, ask: Ask) -> None:
    layer.run("x[2, 1] = float('nan')\ny = fc(x)")
    verdict = ask("torch.nan_to_num(y)", "y").verdict
    assert (verdict.kind, code(verdict)) == ("different", "nonfinite")
    assert verdict.diagnosis is not None
    assert "has 0 at [2, 0] (and 3 more), where the exact result is NaN." in verdict.diagnosis.message


def test_where_no_exact_result_is_known_none_is_told(ask: Ask) -> None:
    verdict = ask("[1.0, float('nan')]", "torch.tensor([1.0, 2.0])").verdict
    assert verdict.diagnosis is not None
    assert verdict.diagnosis.message.endswith("has NaN at [1], where `torch.tensor([1.0, 2.0])` has 2.")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "`bad` is None"),
        ("text", "`bad` is a str, which holds no numbers"),
        ([[1.0], [1.0, 2.0]], "`bad` is a list, but not of numbers in rows of one length"),
        (np.array([None]), "`bad` is a numpy.ndarray of object, unknown to torch"),
        (torch.ones(2, device="meta"), "`bad` is on the meta device and holds no values"),
        (torch.ones(2).to_sparse(), "`bad` has the layout sparse_coo; compare `bad.to_dense()`"),
        (torch.ones(5, 4).to(torch.float8_e4m3fn), "no rounding bound for float8_e4m3fn, the dtype of `bad`"),
    ],
)
@pytest.mark.parametrize("bad_first", [True, False])
def test_what_cannot_be_compared_is_unchecked_by_its_name_on_either_side(
    layer: Notebook, ask: Ask, value: Any, reason: str, bad_first: bool
) -> None:
    layer.names["bad"] = value
    verdict = ask(*(("bad", "y") if bad_first else ("y", "bad"))).verdict
    assert (verdict.kind, verdict.reason) == ("unchecked", reason)


def test_nothing_of_the_users_is_changed(layer: Notebook, ask: Ask) -> None:
    layer.run("y.sum().backward()\narray = hand.detach().numpy().copy()")
    tensors = [eval(it, layer.names) for it in ("x", "y", "hand", "fc.weight", "fc.bias", "fc.weight.grad")]
    before = [(t.detach().clone(), t._version, t.requires_grad) for t in tensors]
    array, state = layer.names["array"].copy(), torch.get_rng_state()
    for actual in ("hand", "array", "-hand", "x @ fc.weight", "hand.flip(0)", "hand[0]", "x.T"):
        ask(actual, "y")
    ask("hand", "fc.weight.grad")
    after = [(t.detach().clone(), t._version, t.requires_grad) for t in tensors]
    for (a, *rest_a), (b, *rest_b) in zip(before, after, strict=True):
        assert torch.equal(a, b)
        assert rest_a == rest_b
    assert np.array_equal(array, layer.names["array"])
    assert torch.equal(state, torch.get_rng_state())


def test_the_public_function_knows_the_words_of_its_call() -> None:
    ours, theirs = torch.tensor([1.0, math.nan]), torch.tensor([1.0, 2.0])
    verdict = torchtwin.compare(ours, theirs)
    assert verdict.diagnosis is not None
    assert verdict.diagnosis.message == "`ours` has NaN at [1], where `theirs` has 2."


def test_modes_that_are_on_change_no_verdict(layer: Notebook, ask: Ask) -> None:
    for words in ("torch.no_grad()", "torch.inference_mode()", "torch.device('meta')", "torch.autocast('cpu')"):
        with eval(words):
            verdict = ask("hand", "y").verdict
            assert (verdict.kind, verdict.proof) == ("rounding", True), words
            assert ask("[[1.0]]", "torch.ones(1, 1, device='cpu')").verdict.kind == "identical"
            assert code(ask("-hand", "y").verdict) == "negated"


TWICE = """\
fc = nn.Linear(4, 4)
x, z, g = torch.randn(6, 4), torch.randn(6, 4), torch.randn(6, 4)
"""


def test_of_a_layer_used_twice_in_one_backward_the_share_of_one_call_is_told(notebook: Notebook, ask: Ask) -> None:
    notebook.run(TWICE + "first = fc(x)\nsecond = fc(z)\ntorch.autograd.backward([first, second], [g, g])")
    assert ask("g.T @ (x + z)", "fc.weight.grad").verdict.kind in ("identical", "rounding")
    verdict = ask("g.T @ x", "fc.weight.grad").verdict
    assert verdict.diagnosis is not None
    assert verdict.diagnosis.message == (
        "`g.T @ x` is the share of `fc(x)` alone. Add the shares of the 2 calls that used it."
    )


def test_two_calls_in_two_backwards_are_two_passes(notebook: Notebook, ask: Ask) -> None:
    notebook.run(TWICE + "fc(x).backward(g)\nfc(z).backward(g)")
    verdict = ask("g.T @ z", "fc.weight.grad").verdict
    assert verdict.diagnosis is not None
    assert verdict.diagnosis.message.endswith("`fc.weight.grad` holds 2 passes.")


@pytest.mark.parametrize("wrong_first", [True, False])
def test_a_relu_too_many_is_told_of_the_side_that_was_made_by_hand(
    layer: Notebook, ask: Ask, wrong_first: bool
) -> None:
    layer.run("wrong = torch.relu(x @ fc.weight.T + fc.bias)")
    verdict = ask(*(("wrong", "y") if wrong_first else ("y", "wrong"))).verdict
    assert verdict.kind == "different"
    assert verdict.diagnosis is not None
    assert verdict.diagnosis.message == "`wrong` is `y` after a ReLU. Leave the ReLU out."


@pytest.mark.parametrize("dtype", ["half", "bfloat16"])
def test_sums_in_blocks_of_a_low_precision_are_no_wrong_formula(notebook: Notebook, ask: Ask, dtype: str) -> None:
    for seed in range(8):
        notebook.run(
            f"torch.manual_seed({seed})\nfc, X = nn.Linear(512, 16).{dtype}(), torch.rand(6, 512).{dtype}()\n"
            "fc.weight.data.abs_()\nfc.bias.data.zero_()\nwt = fc.weight.detach().T"
        )
        notebook.run("blocks = sum(X[:, k : k + 32] @ wt[k : k + 32] for k in range(0, 512, 32)) + fc.bias.detach()")
        notebook.run("y = fc(X)")
        verdict = ask("blocks", "y").verdict
        assert verdict.kind in ("identical", "rounding", "unchecked"), verdict.message
