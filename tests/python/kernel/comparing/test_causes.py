"""Mistakes that people make: each is told by its cause, and who does what is advised has the right result."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from tests.python.kernel.comparing.conftest import Ask
from tests.python.kernel.conftest import Notebook

from torchtwin.protocol import Diagnosis

LAYER = "fc = nn.Linear(4, 4)\nx = torch.randn(4, 4)\ny = fc(x)\nw, b = fc.weight.detach(), fc.bias.detach()\n"
SEQUENCE = (
    "fc = nn.Linear(6, 4)\nx = torch.randn(5, 3, 6)\ny = fc(x)\nby_hand = x.transpose(0, 1) @ fc.weight.T + fc.bias\n"
)
BACKWARD = """\
fc = nn.Linear(6, 3)
x, g = torch.randn(5, 6), torch.randn(5, 3)
fc(x).backward(g)
"""
_WRITE = re.compile(r"[Ww]rite `([^`]*)`\.")


def cause(ask: Ask, actual: str, expected: str) -> Diagnosis:
    verdict = ask(actual, expected).verdict
    assert verdict.kind == "different", verdict.message
    assert verdict.diagnosis is not None
    return verdict.diagnosis


def followed(ask: Ask, diagnosis: Diagnosis, right: str) -> str:
    """The code that is advised, which gives the right result."""
    found = _WRITE.search(diagnosis.message)
    assert found is not None, diagnosis.message
    verdict = ask(found[1], right).verdict
    assert verdict.kind in ("identical", "rounding"), (diagnosis.message, verdict.message)
    return found[1]


OUTPUTS = [
    ("x @ w.T - b", ["missing_bias"], "`wrong` subtracts the bias: it is `x @ fc.weight.T - fc.bias`."),
    ("x @ w - b", ["missing_transpose", "missing_bias"], "lacks the transpose and subtracts the bias"),
    ("x @ w.T + b[:, None]", ["shape"], "adds the bias along the wrong dimension"),
    ("w @ x + b", ["missing_transpose"], "multiplies the wrong way round: it is `fc.weight @ x + fc.bias`."),
    ("w @ x.T + b", ["missing_transpose"], "it is `fc.weight @ x.T + fc.bias`."),
    ("x.T @ w.T + b", ["missing_transpose"], "it is `x.T @ fc.weight.T + fc.bias`."),
    ("x.T @ w", ["missing_transpose", "missing_bias"], "multiplies the wrong way round and lacks the bias"),
    ("w.T @ x + b", ["missing_transpose"], "it is `fc.weight.T @ x + fc.bias`."),
    ("w.T @ x.T + b", ["missing_transpose"], "it is `fc.weight.T @ x.T + fc.bias`."),
]


@pytest.mark.parametrize(("wrong", "codes", "words"), OUTPUTS)
@pytest.mark.parametrize("wrong_first", [True, False])
def test_a_formula_with_its_operands_or_its_bias_the_wrong_way_is_named_and_mended(
    notebook: Notebook, ask: Ask, wrong: str, codes: list[str], words: str, wrong_first: bool
) -> None:
    notebook.run(LAYER + f"wrong = {wrong}")
    found = cause(ask, *(("wrong", "y") if wrong_first else ("y", "wrong")))
    assert ([found.code, *found.also], words in found.message) == (codes, True), found.message
    mended = eval(followed(ask, found, "y"), notebook.names)
    x, w, b = (notebook.names[it].numpy().astype(np.longdouble) for it in ("x", "w", "b"))
    np.testing.assert_allclose(mended.detach().numpy(), (x @ w.T + b).astype(float), rtol=1e-4, atol=1e-6)


def test_operands_without_a_name_are_not_in_the_advice(notebook: Notebook, ask: Ask) -> None:
    notebook.run("fc = nn.Linear(4, 4)\nbatches = iter([torch.randn(5, 4)])\nkept = []")
    notebook.run("y = fc((kept.append(next(batches)), kept[0])[1])\nwrong = kept[0] @ fc.weight")
    found = cause(ask, "wrong", "y")
    assert [found.code, *found.also] == ["missing_transpose", "missing_bias"]
    assert found.message.endswith("Multiply by `fc.weight.T`. Add `fc.bias`.")
    found = cause(ask, "kept[0] @ fc.weight.T - fc.bias", "y")
    assert found.message.endswith("Add `fc.bias` in place of subtracting it.")


def test_a_function_that_names_its_operands_weight_and_bias_is_advised_by_these_names(
    notebook: Notebook, ask: Ask
) -> None:
    notebook.run("weight, bias = torch.randn(3, 4, requires_grad=True), torch.randn(3, requires_grad=True)")
    notebook.run("x = torch.randn(5, 4)\ny = F.linear(x, weight, bias)\nwrong = x @ weight.T")
    assert followed(ask, cause(ask, "wrong", "y"), "y") == "x @ weight.T + bias"


@pytest.mark.parametrize(
    ("digits", "words"), [("round(v, 4)", "4 decimals"), ("float(f'{v:.3g}')", "3 significant digits")]
)
def test_values_typed_from_paper_are_told_as_rounded_and_not_as_of_lower_precision(
    notebook: Notebook, ask: Ask, digits: str, words: str
) -> None:
    notebook.run("fc = nn.Linear(6, 4)\nx = torch.randn(5, 6)\ny = fc(x)")
    notebook.run(f"typed = [[{digits} for v in row] for row in y.tolist()]")
    for sides in (("typed", "y"), ("y", "typed"), ("torch.tensor(typed)", "y")):
        found = cause(ask, *sides)
        assert found.code == "lower_precision"
        assert f" is `y` rounded to {words}. All its digits are right" in found.message


def test_a_typed_digit_that_is_wrong_is_not_called_rounding(notebook: Notebook, ask: Ask) -> None:
    notebook.run("fc = nn.Linear(6, 4)\nx = torch.randn(5, 6)\ny = fc(x)")
    notebook.run("typed = [[round(v, 4) for v in row] for row in y.tolist()]\ntyped[2][1] += 0.0002")
    assert cause(ask, "typed", "y").code == "unexplained"


LOW = {
    "(x.{0}() @ w.{0}().T + b.{0}()).float()": "computed in",
    "F.linear(x.{0}(), w.{0}(), b.{0}()).float()": "computed in",
    "(x.{0}() @ w.{0}().T).float() + b": "computed in",
    "x.{0}().float() @ w.{0}().float().T + b": "computed with factors in",
    "y.{0}().float()": "rounded to",
}


@pytest.mark.parametrize(("low", "name"), [("bfloat16", "bfloat16"), ("half", "float16")])
@pytest.mark.parametrize("way", LOW)
@pytest.mark.parametrize("inner", [1, 6, 300])
@pytest.mark.parametrize("values", ["torch.randn", "torch.rand"])  # which do and do not cancel
def test_every_detour_through_a_lower_precision_is_found(
    notebook: Notebook, ask: Ask, low: str, name: str, way: str, inner: int, values: str
) -> None:
    notebook.run(f"fc = nn.Linear({inner}, 4)\nx = {values}(5, {inner})\nfc.weight.data = {values}(4, {inner})")
    notebook.run(f"y = fc(x)\nw, b = fc.weight.detach(), fc.bias.detach()\nlow = {way.format(low)}")
    found = cause(ask, "low", "y")
    assert (found.code, name in found.message) == ("lower_precision", True), found.message


SINGLE = {
    "(x.float() @ w.float().T + b.float()).double()": "computed in float32",
    "F.linear(x.float(), w.float(), b.float()).double()": "computed in float32",
    "torch.from_numpy(x.numpy().astype('f4') @ w.numpy().astype('f4').T + b.numpy().astype('f4')).double()": "computed",
    "(x.float() @ w.float().T).double() + b": "computed in float32",
    "x.float().double() @ w.float().double().T + b": "computed with factors in float32",
    "y.float().double()": "rounded to float32",
    "(x.float() @ w.float().T + b.float()).double()[:, 1]": "computed in float32",
    "(x.float() @ w.float().T).double()[:, 1] + b[1]": "",
}


@pytest.mark.parametrize("way", SINGLE)
@pytest.mark.parametrize("inner", [6, 300])
@pytest.mark.parametrize("values", ["torch.randn", "torch.rand"])
def test_a_float64_layer_beside_what_went_through_float32_is_told_so(
    notebook: Notebook, ask: Ask, way: str, inner: int, values: str
) -> None:
    notebook.run(
        f"fc = nn.Linear({inner}, 4, dtype=torch.float64)\nx = {values}(5, {inner}, dtype=torch.float64)\n"
        f"fc.weight.data = {values}(4, {inner}, dtype=torch.float64)\n"
        f"y = fc(x)\nw, b = fc.weight.detach(), fc.bias.detach()\nlow = {way}"
    )
    found = cause(ask, "low", "y[:, 1]" if "[:, 1]" in way else "y")
    told = SINGLE[way]
    assert (found.code, told in found.message) == ("lower_precision" if told else "unexplained", True), found.message


def test_what_is_stale_after_a_function_is_told_in_words_that_are_no_code(notebook: Notebook, ask: Ask) -> None:
    notebook.run("fc = nn.Linear(6, 4)\nx = torch.randn(5, 6)\nh = F.gelu(fc(x))\nu = torch.tanh(fc(x))")
    notebook.run("x *= 2\nhand = F.gelu(x @ fc.weight.T + fc.bias)")
    assert cause(ask, "hand", "h").message.startswith("`hand` is computed with `x` as it became after the call. Call")
    notebook.run("fc.weight.data += 1\nhand = torch.tanh(x / 2 @ fc.weight.T + fc.bias)")
    told = "`hand` is computed with `fc.weight` as it became after the call. Call"
    assert cause(ask, "hand", "u").message.startswith(told)


@pytest.mark.parametrize("seed", range(8))
def test_what_agrees_by_closeness_alone_is_not_said_to_agree(notebook: Notebook, ask: Ask, seed: int) -> None:
    """A batch norm that was folded into the layer without its running mean: all differ, a column by more than 2 %."""
    notebook.run(
        f"torch.manual_seed({seed})\nfc, bn = nn.Linear(16, 10), nn.BatchNorm1d(10)\n"
        "bn.running_mean.fill_(1e-3)\nbn.running_mean[5] = 0.5\nbn.eval()\nx = torch.randn(40, 16)\n"
        "scale = bn.weight / (bn.running_var + bn.eps).sqrt()\ny = bn(fc(x))\n"
        "wrong = F.linear(x, fc.weight * scale[:, None], fc.bias * scale + bn.bias)"
    )
    for sides in (("wrong", "y"), ("y", "wrong")):
        verdict = ask(*sides).verdict
        assert verdict.message.startswith("different: 400 of 400 elements lie outside"), verdict.message
        assert verdict.diagnosis is not None
        assert (verdict.diagnosis.code, "agree" in verdict.diagnosis.message) == ("unexplained", False)


def test_noise_as_large_as_that_of_float32_in_a_float64_layer_is_not_called_so(notebook: Notebook, ask: Ask) -> None:
    notebook.run("fc = nn.Linear(6, 4).double()\nx = torch.randn(5, 6).double() / 3\ny = fc(x)")
    for _ in range(10):
        notebook.names["noise"] = torch.randn(5, 4).double() * 2**-25 / 3
        assert cause(ask, "y * (1 + noise)", "y").code == "unexplained"


CHANGES = ["x += 1", "x.mul_(2)", "x[1] = 0", "with torch.no_grad(): x.copy_(x.flip(0))", "x.data -= 0.25"]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_an_input_that_was_changed_in_place_after_the_call_is_told(
    notebook: Notebook, ask: Ask, change: str, dtype: str
) -> None:
    notebook.run(f"fc = nn.Linear(6, 4, dtype=torch.{dtype})\nx = torch.randn(5, 6, dtype=torch.{dtype})\ny = fc(x)")
    notebook.run(f"{change}\nhand = x @ fc.weight.T + fc.bias")
    for sides in (("hand", "y"), ("y", "hand")):
        found = cause(ask, *sides)
        assert (found.code, found.message) == (
            "stale_operand",
            "`hand` is computed with `x` as it became after the call. "
            "Call the layer anew: its output is from before the change.",
        )
    notebook.run("y = fc(x)")
    assert ask("hand", "y").verdict.kind in ("identical", "rounding")


def test_noise_as_large_as_that_of_a_lower_precision_is_not_called_so(notebook: Notebook, ask: Ask) -> None:
    notebook.run("fc = nn.Linear(6, 4)\nx = torch.randn(5, 6)\ny = fc(x)\nh = F.gelu(y)")
    for unit in (2**-8, 2**-11):
        for _ in range(10):
            notebook.names["noise"] = torch.randn(5, 4) * unit / 2
            assert cause(ask, "y * (1 + noise)", "y").code == "unexplained"
    assert cause(ask, "F.gelu(y, approximate='tanh')", "h").code == "unexplained"


def test_a_relu_too_many_or_too_few_is_told(notebook: Notebook, ask: Ask) -> None:
    notebook.run(LAYER + "h = torch.relu(y)\nbefore = x.double() @ w.double().T + b.double()\nafter = before.relu()")
    for sides in (("before", "h"), ("h", "before")):
        found = cause(ask, *sides)
        assert (found.code, followed(ask, found, "h")) == ("partial", "before.relu()")
        assert found.message.startswith("`before` is `h` before its ReLU.")
    found = cause(ask, "after", "y")
    assert (found.code, found.message) == ("partial", "`after` is `y` after a ReLU. Leave the ReLU out.")
    notebook.run("changed = before.clone()\nchanged[before > 0] += 1")
    assert "ReLU" not in cause(ask, "changed", "h").message


@pytest.mark.parametrize("hand_first", [True, False])
@pytest.mark.parametrize(
    ("setup", "hand", "right", "written"),
    [
        (SEQUENCE, "by_hand", "y", "by_hand.transpose(0, 1)"),
        (SEQUENCE, "by_hand.permute(2, 1, 0)", "y", "by_hand.permute(2, 1, 0).permute(2, 1, 0)"),
        (BACKWARD, "x.T @ g", "fc.weight.grad", "(x.T @ g).T"),
        (BACKWARD, "g", "fc.bias.grad", "g.sum(0)"),
        (BACKWARD, "5 * g", "fc.bias.grad", "(5 * g).mean(0)"),
        (BACKWARD, "g.sum(0)[:, None]", "fc.bias.grad", "g.sum(0)[:, None].reshape(3)"),
    ],
)
def test_another_shape_is_mended_on_the_side_that_was_made_by_hand(
    notebook: Notebook, ask: Ask, setup: str, hand: str, right: str, written: str, hand_first: bool
) -> None:
    notebook.run(setup)
    found = cause(ask, *((hand, right) if hand_first else (right, hand)))
    assert found.code == "shape"
    code = followed(ask, found, right)
    mended, exact = eval(code, notebook.names), eval(right, notebook.names)
    assert mended.shape == exact.shape
    assert torch.allclose(mended, exact, rtol=1e-4, atol=1e-5)
    if "permute(2" not in written:  # there more than one order of swaps does it
        assert code == written


NO_TENSORS = {
    "hand.tolist()": "torch.tensor(hand, dtype=torch.float64)",
    "tuple(map(tuple, hand.tolist()))": "torch.tensor(hand, dtype=torch.float64)",
    "list(hand)": "torch.stack(hand)",
    "tuple(hand)": "torch.stack(hand)",
    "hand.numpy()": "torch.tensor(hand)",
    "hand.numpy()[:, ::1]": "torch.tensor(hand)",
}


@pytest.mark.parametrize("made", NO_TENSORS)
@pytest.mark.parametrize(
    ("wrong", "code", "right"),
    [
        ("y.T", ".T", "y"),
        ("y.flip(0)", ".flip(0)", "y"),
        ("y[:, [1, 0, 2, 3]]", "[:, [1, 0, 2, 3]]", "y"),
        ("y.reshape(2, 8)", ".reshape(4, 4)", "y"),
        ("F.linear(x, w, b).transpose(0, 1)[None]", ".transpose(1, 2)", "y[None]"),
        ("torch.stack([y, y])", ".mean(0)", "y"),
        ("torch.stack([y / 2, y / 2])[:, :1]", ".sum(0, keepdim=True)", "y[None, :1]"),
    ],
)
def test_what_is_advised_for_lists_tuples_and_arrays_can_be_written(
    notebook: Notebook, ask: Ask, made: str, wrong: str, code: str, right: str
) -> None:
    notebook.run(LAYER + "h = y.detach()")
    notebook.run(f"hand = ({wrong}).detach().clone()\nhand = {made}")
    written = followed(ask, cause(ask, "hand", right), right)
    assert written == NO_TENSORS[made] + code


def test_numbers_in_a_list_that_is_written_out_are_made_a_tensor_to_be_reshaped(notebook: Notebook, ask: Ask) -> None:
    notebook.run("y = torch.tensor([[15, 33]])")
    assert (
        followed(ask, cause(ask, "[15, 33]", "y"), "y") == "torch.tensor([15, 33], dtype=torch.float64).reshape(1, 2)"
    )
    assert (
        followed(ask, cause(ask, "([33, 15],)", "y"), "y") == "torch.tensor(([33, 15],), dtype=torch.float64).flip(1)"
    )
    notebook.run("y = y.float()")
    assert followed(ask, cause(ask, "(y, y)", "y"), "y") == "torch.stack((y, y)).mean(0)"
    notebook.run("z = torch.tensor([[1.5]])")
    assert followed(ask, cause(ask, "1.5", "z"), "z") == "torch.tensor(1.5, dtype=torch.float64).reshape(1, 1)"


@pytest.mark.parametrize(
    "mixed", ["[list(y.T)]", "[y.T.numpy()]", "y.T.numpy()[::-1][None]", "y.T.numpy().astype('>f4')[None]"]
)
def test_where_no_short_code_makes_a_tensor_it_is_said_in_words(notebook: Notebook, ask: Ask, mixed: str) -> None:
    notebook.run(LAYER + f"y = y.detach()\nhand = {mixed}")
    right = "y.flip(1)" if "::-1" in mixed else "y"
    found = cause(ask, "hand", f"{right}[None]")
    assert found.message.endswith(" Make `hand` a tensor, and write `.transpose(1, 2)`."), found.message
    found = cause(ask, "hand", f"{right}.T")
    assert found.message.endswith("rite `hand`, made a tensor, with `.reshape(4, 4)`."), found.message


def test_complex_numbers_are_told_to_be_compared_by_their_parts(notebook: Notebook, ask: Ask) -> None:
    notebook.run("z = torch.randn(4, 2, dtype=torch.complex64)\nwrong = z.flip(0).clone()")
    verdict = ask("wrong", "z").verdict
    assert verdict.note is not None
    assert verdict.note.endswith("by real and imaginary parts, the last index of each")
    assert verdict.diagnosis is not None
    assert verdict.diagnosis.message.endswith("Write `torch.view_as_real(wrong).flip(0)`.")


def test_dimensions_swapped_within_one_shape_are_swapped_back_by_the_advice(notebook: Notebook, ask: Ask) -> None:
    notebook.run("fc = nn.Linear(6, 4)\nx = torch.randn(3, 3, 6)\ny = fc(x)\nz = fc(torch.randn(5, 3, 6))")
    notebook.run("swapped = x.transpose(0, 1) @ fc.weight.T + fc.bias\nwritten = z.transpose(0, 1).reshape(5, 3, 4)")
    found = cause(ask, "swapped", "y")
    assert found.message.startswith("`swapped` is `y` with dimensions 0 and 1 swapped.")
    assert followed(ask, found, "y") == "swapped.transpose(0, 1)"
    found = cause(ask, "written", "z")
    assert (found.code, followed(ask, found, "z")) == ("permuted", "written.reshape(3, 5, 4).transpose(0, 1)")


@pytest.mark.parametrize("change", ["y.T", "y.flip(0)", "y.roll(1, 1)", "y[[2, 0, 1, 3]]", "y[:, [1, 2, 0, 3]]"])
@pytest.mark.parametrize("bias", [True, False])
def test_another_order_is_undone_by_what_is_advised(notebook: Notebook, ask: Ask, change: str, bias: bool) -> None:
    notebook.run(f"fc = nn.Linear(5, 4, bias={bias})\nx = torch.randn(4, 5)\ny = fc(x)")
    notebook.run(f"wrong = ({change}).detach().clone()")
    found = cause(ask, "wrong", "y")
    assert (found.code, followed(ask, found, "y").startswith("wrong")) == ("permuted", True)


SQUARE = "fc = nn.Linear(4, 4)\nx = torch.randn(6, 4, requires_grad=True)\ng = torch.randn(6, 4)\nfc(x).backward(g)\n"


def test_gradients_with_a_transpose_too_many_or_too_few_are_mended_in_the_users_names(
    notebook: Notebook, ask: Ask
) -> None:
    notebook.run(SQUARE + "dw, dx = x.detach().T @ g, g @ fc.weight.detach().T")
    found = cause(ask, "dw", "fc.weight.grad")
    assert (found.code, followed(ask, found, "fc.weight.grad")) == ("missing_transpose", "dw.T")
    found = cause(ask, "x.T @ g", "fc.weight.grad")
    assert followed(ask, found, "fc.weight.grad") == "(x.T @ g).T"
    found = cause(ask, "dx", "x.grad")
    assert found.code == "missing_transpose"
    assert found.message.endswith("Multiply the gradient of the output by `fc.weight` itself, without `.T`.")
    assert ask("g @ fc.weight", "x.grad").verdict.kind in ("identical", "rounding")


@pytest.mark.parametrize("hand_first", [True, False])
def test_whichever_side_it_is_the_clipped_gradient_is_told_as_clipped(
    notebook: Notebook, ask: Ask, hand_first: bool
) -> None:
    notebook.run(BACKWARD + "hand = g.T @ x\nnorm = torch.nn.utils.clip_grad_norm_(fc.parameters(), 0.05)")
    factor = 0.05 / (float(notebook.names["norm"]) + 1e-6)
    found = cause(ask, *(("hand", "fc.weight.grad") if hand_first else ("fc.weight.grad", "hand")))
    assert found.code == "scaled"
    told = re.fullmatch(
        r"`fc.weight.grad` is (\S+) times `hand`: it was clipped, as `clip_grad_norm_` does. "
        "Compare what it was before that.",
        found.message,
    )
    assert told is not None, found.message
    assert float(told[1]) == pytest.approx(factor, rel=1e-4)


def test_the_advice_on_micro_batches_mends_the_sum_and_leaves_the_mean_alone(notebook: Notebook, ask: Ask) -> None:
    notebook.run(
        "fc = nn.Linear(6, 3)\nx = torch.randn(16, 6)\ng = torch.randn(16, 3)\n"
        "mean = (g.T @ x / 48).detach()\n"  # of all 16 * 3 elements
        "for a, c in zip(x.chunk(4), g.chunk(4)): (fc(a) * c).mean().backward()"
    )
    found = cause(ask, "mean", "fc.weight.grad")
    assert (found.code, found.message) == (
        "scaled",
        "`mean` is the mean of the 4 backward passes whose sum `fc.weight.grad` holds. "
        "Divide each loss by 4 before its backward to have the mean there too.",
    )
    notebook.run("fc.zero_grad()\nfor a, c in zip(x.chunk(4), g.chunk(4)): ((fc(a) * c).mean() / 4).backward()")
    assert ask("mean", "fc.weight.grad").verdict.kind in ("identical", "rounding")


@pytest.mark.parametrize("n", [5, 16, 1024])
@pytest.mark.parametrize("of", ["var", "std"])
def test_a_variance_divided_by_n_less_1_is_told_with_its_n(notebook: Notebook, ask: Ask, n: int, of: str) -> None:
    notebook.run(f"v = torch.randn({n}, 8)")
    found = cause(ask, f"v.{of}(0)", f"v.{of}(0, correction=0)")
    assert found.code == "scaled"
    assert f"n / (n - 1) with n = {n:,}, as where one variance is divided by n - 1 in place of n" in found.message
    found = cause(ask, f"v.{of}(0, correction=0)", f"v.{of}(0)")
    assert f"(n - 1) / n with n = {n:,}" in found.message


@pytest.mark.parametrize("factor", ["1.0005", "0.9995", "(1 + 3e-5)"])
def test_a_factor_near_1_is_no_cause(notebook: Notebook, ask: Ask, factor: str) -> None:
    notebook.run(LAYER)
    found = cause(ask, f"{factor} * y.double()", "y")
    assert (found.code, "times" in found.message) == ("unexplained", False)


def test_one_row_differs_and_two_rows_differ(notebook: Notebook, ask: Ask) -> None:
    notebook.run(LAYER + "one, two = y.detach().clone(), y.detach().clone()\none[3] += 1\ntwo[1:3] += 1")
    assert cause(ask, "one", "y").message == "Only row 3 of 4 of `one` differs; the others agree."
    assert cause(ask, "two", "y").message == "Only rows 1, 2 of 4 of `two` differ; the others agree."
