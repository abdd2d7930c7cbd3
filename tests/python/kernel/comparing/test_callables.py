"""Two functions run side by side, their gradients compared, and nothing of the user's touched."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.python.kernel.comparing.conftest import Ask
from tests.python.kernel.conftest import Notebook

import torchtwin
from torchtwin.kernel.session import Session
from torchtwin.protocol import Comparison

SETUP = """\
fc = nn.Linear(3, 2)
x, w, b = torch.randn(5, 3), torch.randn(2, 3), torch.randn(2)
def theirs(x, w, b):
    return F.linear(x, w, b)
def mine(x, w, b):
    return torch.einsum("bi,oi->bo", x, w) + b
def without_bias(x, w, b):
    return x @ w.T
def detached(x, w, b):
    return x @ w.detach().T + b
def twice_the_gradient(x, w, b):
    return x @ (2 * w - w.detach()).T + b
def raises(x, w, b):
    return 1 / 0
class Mute(Exception):
    def __str__(self): raise ValueError
def raises_mutely(x, w, b):
    raise Mute
class Broken(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x): return x.clone()
    @staticmethod
    def backward(ctx, g): raise KeyError("lost")
def broken(x, w, b):
    return Broken.apply(x) @ w.T + b
class Forgetful(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w, b):
        ctx.save_for_backward(x, w)
        return x @ w.T + b
    @staticmethod
    def backward(ctx, g):
        x, w = ctx.saved_tensors
        return g @ w, g.T @ x, None
class Odd:
    def __eq__(self, other): raise ValueError
    __hash__ = None
    def __call__(self, x, w, b): return x @ w.T + b
odd = Odd()
"""
WRT = ["x", "w", "b"]


@pytest.fixture
def functions(notebook: Notebook) -> Notebook:
    notebook.run(SETUP)
    return notebook


def kinds(comparison: Comparison) -> list[str]:
    return [comparison.verdict.kind, *(it.verdict.kind for it in comparison.gradients)]


def test_results_and_gradients_are_proven(functions: Notebook, ask: Ask) -> None:
    found = ask("mine", "theirs", WRT)
    assert set(kinds(found)) <= {"identical", "rounding"}
    assert found.verdict.proof
    assert [it.wrt for it in found.gradients] == WRT
    assert all(it.verdict.proof for it in found.gradients)


def test_torchs_own_function_is_known_outside_a_watch_too() -> None:
    session = Session()  # which never watched
    assert session.tracer() is None
    x, w, b = torch.randn(5, 3), torch.randn(2, 3), torch.randn(2)
    verdict = torchtwin.compare(lambda x, w, b: x @ w.T + b, torch.nn.functional.linear, wrt=[x, w, b])
    assert verdict.agrees
    assert verdict.proof
    assert set(verdict.gradients) == {"x", "w", "b"}


def test_a_wrong_gradient_is_told_where_the_output_is_right(functions: Notebook, ask: Ask) -> None:
    found = ask("twice_the_gradient", "theirs", WRT)
    assert kinds(found)[0] in ("identical", "rounding")
    by_name = {it.wrt: it.verdict for it in found.gradients}
    assert by_name["w"].kind == "different"
    assert by_name["w"].proof
    assert by_name["w"].diagnosis is not None
    assert by_name["w"].diagnosis.message == (
        "The first gradient of `w` is 2 times the second gradient of `w`. Divide by 2."
    )
    assert {by_name["x"].kind, by_name["b"].kind} <= {"identical", "rounding"}


@pytest.mark.parametrize(("pair", "which"), [(("detached", "theirs"), "first"), (("theirs", "detached"), "second")])
def test_a_weight_that_is_cut_off_in_one_function_is_different(
    functions: Notebook, ask: Ask, pair: tuple[str, str], which: str
) -> None:
    found = ask(*pair, WRT)
    of_w = found.gradients[1].verdict
    assert kinds(found)[0] in ("identical", "rounding")
    assert of_w.kind == "different"
    assert of_w.diagnosis is not None
    assert of_w.diagnosis.message.startswith(
        f"In the {which} function nothing depends on `w`: it is not used, or cut off by a `detach()`"
    )


def test_what_nothing_depends_on_in_either_is_unchecked(functions: Notebook, ask: Ask) -> None:
    of_b = ask("without_bias", "without_bias", WRT).gradients[2].verdict
    assert of_b.kind == "unchecked"
    assert of_b.reason == (
        "`b`: in both functions nothing depends on it, so there is no gradient to compare: leave it out of `wrt`"
    )


def test_a_gradient_of_zero_is_not_told_from_one_that_is_cut_off(functions: Notebook, ask: Ask) -> None:
    functions.run("def zero(x, w, b):\n    return x @ w.T + 0 * b")
    assert ask("zero", "without_bias", WRT).gradients[2].verdict.kind == "unchecked"


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        ("raises", "`raises` raised ZeroDivisionError: division by zero"),
        ("raises_mutely", "`raises_mutely` raised Mute"),
        ("(lambda x, w, b: 3.0)", "`(lambda x, w, b: 3.0)` returned a float, not a tensor"),
        (
            "(lambda x, w, b: (x,))",
            "`(lambda x, w, b: (x,))` returned a tuple, not a tensor; compare one of its tensors",
        ),
        ("(lambda x, w, b: None)", "`(lambda x, w, b: None)` returned a NoneType, not a tensor"),
    ],
)
@pytest.mark.parametrize("is_first", [True, False])
def test_a_function_that_gives_no_tensor_is_told_by_its_words(
    functions: Notebook, ask: Ask, function: str, reason: str, is_first: bool
) -> None:
    found = ask(*((function, "theirs") if is_first else ("theirs", function)), WRT)
    assert (found.verdict.kind, found.verdict.reason, found.gradients) == ("unchecked", reason, [])


def test_a_backward_that_raises_leaves_the_gradients_unchecked(functions: Notebook, ask: Ask) -> None:
    found = ask("broken", "theirs", WRT)
    assert kinds(found)[1:] == ["unchecked"] * 3
    assert found.gradients[0].verdict.reason == "`x`: in the first function its backward raised KeyError: 'lost'"


def test_functions_whose_backward_raises_are_not_the_same(functions: Notebook) -> None:
    broken, theirs, x, w, b = (functions.names[it] for it in ("broken", "theirs", "x", "w", "b"))
    assert not torchtwin.compare(broken, theirs, wrt=[x, w, b]).agrees
    with pytest.raises(AssertionError, match="its backward raised"):
        torchtwin.assert_same(broken, theirs, wrt=[x, w, b])


def test_a_tensor_that_neither_function_depends_on_does_not_agree(functions: Notebook) -> None:
    without_bias, x, w, b = (functions.names[it] for it in ("without_bias", "x", "w", "b"))
    assert torchtwin.compare(without_bias, without_bias, wrt=[x, w, b]).agrees is False
    assert torchtwin.compare(lambda x, w: x @ w.T, lambda x, w: x @ w.T, wrt=[x, w]).agrees


@pytest.mark.parametrize(
    ("pair", "which"), [(("Forgetful.apply", "theirs"), "first"), (("theirs", "Forgetful.apply"), "second")]
)
def test_a_backward_that_returns_none_is_told_as_that_and_not_as_a_detach(
    functions: Notebook, ask: Ask, pair: tuple[str, str], which: str
) -> None:
    found = ask(*pair, WRT)
    assert set(kinds(found)[:3]) <= {"identical", "rounding"}
    of_b = found.gradients[2].verdict
    assert of_b.kind == "different"
    assert of_b.diagnosis is not None
    assert of_b.diagnosis.message == (
        f"In the {which} function `Forgetful.backward` gave None for what it computed from `b`: "
        "return its gradient there."
    )


def test_the_users_own_graph_is_kept_with_its_gradients_and_its_records(functions: Notebook, ask: Ask) -> None:
    functions.run("out = fc(x).tanh()\nother = fc(x).tanh()\nother.sum().backward()")
    names, calls = functions.names, functions.session.calls()
    expected = names["fc"].weight.grad.clone()
    names["fc"].zero_grad()
    found = ask("out", "(lambda: torch.tanh(x @ fc.weight.T + fc.bias))", ["fc.weight"])
    assert set(kinds(found)) <= {"identical", "rounding"}
    assert set(kinds(ask("(lambda: out * 1)", "(lambda: out)", ["fc.weight"]))) == {"identical"}
    assert functions.session.calls() == calls
    names["out"].sum().backward()
    assert torch.equal(names["fc"].weight.grad, expected)
    assert functions.session.calls()[0].gradients.weight is not None


def test_a_function_whose_comparison_raises_is_never_asked(functions: Notebook, ask: Ask) -> None:
    assert ask("odd", "theirs", WRT).verdict.kind in ("identical", "rounding")


@pytest.mark.parametrize(
    ("wrt", "reason"),
    [
        ("x.long()", "`x.long()` in `wrt` is not a floating point tensor, nor a pair of two"),
        ("None", "`None` in `wrt` is not a floating point tensor, nor a pair of two"),
        ("x.to('meta')", "`x.to('meta')` is on the meta device and holds no values; `wrt` takes plain tensors"),
        ("x.to_sparse()", "`x.to_sparse()` has the layout sparse_coo; compare `x.to_sparse().to_dense()`; `wrt` takes"),
    ],
)
def test_what_no_gradient_can_be_taken_of_is_told(functions: Notebook, ask: Ask, wrt: str, reason: str) -> None:
    found = ask("mine", "theirs", [wrt, "w", "b"])
    assert found.verdict.kind == "unchecked"
    assert found.verdict.reason is not None
    assert found.verdict.reason.startswith(reason)


def test_any_wrt_that_is_no_list_is_answered() -> None:
    x = torch.randn(5, 3)
    verdict = torchtwin.compare(torch.tanh, lambda t: t.tanh(), wrt=x)  # type: ignore[arg-type]
    assert verdict.agrees
    assert list(verdict.gradients) == ["x"]
    for wrong in (5, "x", object()):
        assert torchtwin.compare(torch.tanh, torch.tanh, wrt=wrong).kind == "unchecked"  # type: ignore[arg-type]


def test_each_function_may_know_a_tensor_under_another_name(functions: Notebook, ask: Ask) -> None:
    functions.run(
        "v = fc.weight.detach().clone().requires_grad_()\nc = fc.bias.detach().clone().requires_grad_()\n"
        "def layer():\n    return fc(x)\ndef formula():\n    return x @ v.T + c"
    )
    found = ask("layer", "formula", ["(fc.weight, v)", "(fc.bias, c)"])
    assert set(kinds(found)) <= {"identical", "rounding"}
    assert len(found.gradients) == 2
    functions.run("v.data.mul_(2)")
    assert kinds(ask("layer", "formula", ["(fc.weight, v)"]))[0] == "different"


def test_a_pair_of_which_one_needs_no_gradient_says_so(functions: Notebook, ask: Ask) -> None:
    functions.run("v = fc.weight.detach().clone()")
    found = ask("(lambda: fc(x))", "(lambda: x @ v.T + fc.bias)", ["(fc.weight, v)"])
    assert (
        found.gradients[0].verdict.reason
        == "`(fc.weight, v)`: in the second function it does not require grad (`requires_grad_()` makes it)"
    )


def test_a_module_is_a_function(functions: Notebook, ask: Ask) -> None:
    found = ask("fc", "(lambda x: x @ fc.weight.T + fc.bias)", ["x"])
    assert set(kinds(found)) <= {"identical", "rounding"}
    assert found.verdict.note == "proven: the operands of `fc(x)` are known"


def test_a_function_is_held_against_a_tensor_or_a_list(functions: Notebook, ask: Ask) -> None:
    functions.run("y = fc(x).detach()\nrows = y.tolist()")
    assert ask("(lambda: fc(x))", "y").verdict.kind == "identical"
    assert ask("(lambda: fc(x))", "rows").verdict.kind == "identical"
    assert ask("(lambda: -fc(x))", "y").verdict.kind == "different"
    assert ask("(lambda: fc(x))", "'text'").verdict.reason == "`'text'` is a str, which holds no numbers"


def test_results_of_other_shapes_leave_the_gradients_unchecked(functions: Notebook, ask: Ask) -> None:
    found = ask("(lambda x, w, b: (x @ w.T + b).T)", "theirs", WRT)
    assert kinds(found) == ["different", "unchecked", "unchecked", "unchecked"]


def test_under_autocast_both_get_the_same_gradient_to_send_back(functions: Notebook, ask: Ask) -> None:
    """The layer gives bfloat16, the formula float32: the bias is added in full."""
    with torch.autocast("cpu", torch.bfloat16):
        for seed in range(20):
            functions.run(f"torch.manual_seed({seed})\nx, w, b = torch.randn(64, 3), torch.randn(2, 3), torch.randn(2)")
            assert "different" not in kinds(ask("(lambda x, w, b: x @ w.T + b)", "theirs", WRT)), seed


@pytest.mark.parametrize("mode", ["torch.no_grad()", "torch.device('meta')"])
def test_modes_that_are_on_change_no_gradient(functions: Notebook, ask: Ask, mode: str) -> None:
    with eval(mode):
        found = ask("mine", "theirs", WRT)
    assert set(kinds(found)) <= {"identical", "rounding"}
    assert all(it.verdict.proof for it in found.gradients)


def test_random_functions_draw_the_same_and_the_state_is_put_back(functions: Notebook, ask: Ask) -> None:
    functions.run("def noisy(x, w, b):\n    return F.dropout(F.linear(x, w, b), 0.5)")
    state, of_numpy = torch.get_rng_state(), np.random.get_state()[1].copy()  # type: ignore[index, union-attr]
    found = ask("noisy", "noisy", WRT)
    assert set(kinds(found)) == {"identical"}
    assert torch.equal(torch.get_rng_state(), state)
    assert np.array_equal(np.random.get_state()[1], of_numpy)  # type: ignore[index]


def test_gradients_hooks_records_and_tensors_are_left_as_they_were(functions: Notebook, ask: Ask) -> None:
    functions.run("fc(x).sum().backward()")
    names, calls = functions.names, len(functions.session.calls())
    before = names["fc"].weight.grad.clone(), names["x"].clone()
    ask("(lambda: fc(x))", "(lambda: x @ fc.weight.T + fc.bias)", ["fc.weight", "fc.bias"])
    ask("mine", "theirs", WRT)
    assert torch.equal(names["fc"].weight.grad, before[0])
    assert torch.equal(names["x"], before[1])
    assert [names[it].requires_grad for it in WRT] == [False] * 3
    assert [names[it].grad for it in WRT] == [None] * 3
    assert len(functions.session.calls()) == calls


def test_without_a_watch_no_hook_and_no_patch_is_left() -> None:
    fc, x, linear = torch.nn.Linear(3, 2), torch.randn(5, 3), torch.nn.functional.linear
    torchtwin.compare(lambda: fc(x), lambda: x @ fc.weight.T + fc.bias, wrt=[fc.weight, fc.bias])
    assert torch.nn.functional.linear is linear
    for parameter in (fc.weight, fc.bias):
        assert not parameter._backward_hooks
        assert not getattr(parameter, "_post_accumulate_grad_hooks", None)
        assert parameter.grad is None
    assert not fc._forward_hooks
    fc(x).sum().backward()
    assert torchtwin.records() == []


def test_a_formula_is_told_in_the_words_of_wrt(functions: Notebook, ask: Ask) -> None:
    diagnosis = ask("without_bias", "F.linear", ["x", "fc.weight", "fc.bias"]).verdict.diagnosis
    assert diagnosis is not None
    assert diagnosis.message == (
        "`without_bias` lacks the bias: it is `x @ fc.weight.T`. Write `x @ fc.weight.T + fc.bias`."
    )


def test_a_formula_is_told_in_a_functions_parameters_where_those_of_wrt_are_no_names(
    functions: Notebook, ask: Ask
) -> None:
    diagnosis = ask("(lambda a, c, d: a @ c.T)", "F.linear", ["x * 1", "w", "b"]).verdict.diagnosis
    assert diagnosis is not None
    assert diagnosis.message.endswith("lacks the bias: it is `a @ c.T`. Write `a @ c.T + d`.")


def test_each_function_is_called_by_its_own_words_of_a_pair(functions: Notebook, ask: Ask) -> None:
    found = ask("F.linear", "mine", ["x", "(fc.weight, w)", "(fc.bias, b)"])
    assert found.verdict.note is not None
    assert "`F.linear(x, fc.weight, fc.bias)`" in found.verdict.note


def test_a_layer_beside_its_output_is_told_to_be_called(functions: Notebook, ask: Ask) -> None:
    assert ask("x", "fc").verdict.reason == (
        "`fc` takes an argument, `input`: give it by `wrt=[input]`, or compare what it returns"
    )


@pytest.mark.parametrize("pair", [("fc", "fc"), ("fc", "mine"), ("mine", "fc")])
def test_a_function_without_its_arguments_is_told_to_take_them_by_wrt(
    functions: Notebook, ask: Ask, pair: tuple[str, str]
) -> None:
    reason = ask(*pair).verdict.reason
    assert reason in (
        "`fc` takes an argument, `input`: give it by `wrt=[input]`, or compare what it returns",
        "`mine` takes `x`, `w` and `b`: give them by `wrt=[x, w, b]`, or compare what it returns",
    )


def test_a_function_of_the_input_alone_is_compared_by_the_weights_that_it_uses_too(
    functions: Notebook, ask: Ask
) -> None:
    found = ask("(lambda x: x @ fc.weight.T + fc.bias)", "fc", ["x", "fc.weight", "fc.bias"])
    assert set(kinds(found)) <= {"identical", "rounding"}
    assert len(found.gradients) == 3
    assert all(it.verdict.proof for it in found.gradients)
    found = ask("(lambda x: x @ (2 * fc.weight - fc.weight.detach()).T + fc.bias)", "fc", ["x", "fc.weight", "fc.bias"])
    assert [it.verdict.kind == "different" for it in found.gradients] == [False, True, False]
    assert functions.names["fc"].weight.grad is None


TRANSPOSED = "w = fc.weight.detach().T.clone().requires_grad_()"


@pytest.mark.parametrize(
    ("actual", "expected", "wrt"),
    [
        ("(lambda: x @ w + fc.bias)", "(lambda: fc(x))", "(w, fc.weight)"),
        ("(lambda: fc(x))", "(lambda: x @ w + fc.bias)", "(fc.weight, w)"),
        ("(lambda w: x @ w + fc.bias)", "(lambda w: F.linear(x, w, fc.bias))", "(w, fc.weight)"),
    ],
)
@pytest.mark.parametrize("layer", ["fc", "fc = nn.Linear(3, 3)"])
def test_the_gradients_of_a_weight_and_of_its_transpose_are_compared_transposed(
    functions: Notebook, ask: Ask, actual: str, expected: str, wrt: str, layer: str
) -> None:
    functions.run(f"{layer}\n{TRANSPOSED}")
    found = ask(actual, expected, [wrt])
    assert set(kinds(found)) <= {"identical", "rounding"}
    of_w = found.gradients[0].verdict
    assert of_w.proof
    assert of_w.note is not None
    assert of_w.note.endswith("`w` is the transpose of `fc.weight`, so its gradient was compared transposed")


def test_a_wrong_gradient_of_a_transposed_weight_is_told(functions: Notebook, ask: Ask) -> None:
    functions.run(TRANSPOSED)
    found = ask("(lambda: x @ (2 * w - w.detach()) + fc.bias)", "(lambda: fc(x))", ["(w, fc.weight)"])
    diagnosis = found.gradients[0].verdict.diagnosis
    assert diagnosis is not None
    assert diagnosis.message.startswith("The transposed first gradient of `(w, fc.weight)` is 2 times the second")


def test_a_symmetric_weight_is_no_transpose(functions: Notebook, ask: Ask) -> None:
    functions.run("w = torch.eye(3, requires_grad=True)\nv = torch.eye(3, requires_grad=True)")
    found = ask("(lambda: x @ w.T)", "(lambda: F.linear(x, v))", ["(w, v)"])
    assert kinds(found)[1] in ("identical", "rounding")
    assert "transpose" not in (found.gradients[0].verdict.note or "")
