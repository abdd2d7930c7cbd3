"""Gradient verdicts, against gradients computed in float64 by the definition, not by autograd."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch
from tests.python.kernel.conftest import Notebook

from torchtwin.protocol import Call, Verdict

SHAPES = {
    "one dimension": "torch.randn(6)",
    "two": "torch.randn(5, 6)",
    "three": "torch.randn(2, 5, 6)",
    "four": "torch.randn(2, 2, 5, 6)",
    "not contiguous": "torch.randn(6, 5).T",
    "three, not contiguous": "torch.randn(5, 6, 2).permute(2, 0, 1)",
    "three, expanded": "torch.randn(1, 1, 6).expand(2, 3, 6)",
    "empty batch": "torch.randn(0, 6)",
}


def kinds(call: Call) -> list[str | None]:
    g = call.gradients
    return [verdict.kind if verdict else None for verdict in (g.weight, g.bias, g.input)]


def backward(notebook: Notebook, call: Call, source: str = "(y * y.detach().sin()).sum().backward()") -> Call:
    notebook.run(source)
    return notebook.again(call)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
@pytest.mark.parametrize("x", SHAPES.values(), ids=SHAPES.keys())
def test_all_three_gradients_of_an_honest_layer_agree(notebook: Notebook, x: str, dtype: str, bias: bool) -> None:
    call = notebook.call(
        f"fc = nn.Linear(6, 4, bias={bias}, dtype=torch.{dtype})\nx = {x}.to(torch.{dtype}).requires_grad_()\ny = fc(x)"
    )
    after = backward(notebook, call)
    expected = {"identical", "rounding"}
    assert set(kinds(after)[::2]) <= expected
    assert kinds(after)[1] in (expected if bias else {None})


def test_what_is_judged_is_what_autograd_adds(notebook: Notebook) -> None:
    call = notebook.call("fc = nn.Linear(3, 2)\nx = torch.randn(4, 3, requires_grad=True)\ny = fc(x)")
    after = backward(notebook, call, "(y ** 3).sum().backward()")
    x, fc, y = (notebook.names[name] for name in ("x", "fc", "y"))
    g = 3 * y.detach().double() ** 2
    assert torch.tensor(after.values.grad_output) == pytest.approx(g.flatten(), rel=1e-6)
    assert torch.tensor(after.values.grad_weight) == pytest.approx((g.T @ x.detach().double()).flatten(), rel=1e-5)
    assert torch.tensor(after.values.grad_bias) == pytest.approx(g.sum(0), rel=1e-5)
    assert torch.tensor(after.values.grad_input) == pytest.approx((g @ fc.weight.detach().double()).flatten(), abs=1e-6)
    assert torch.equal(torch.tensor(after.values.grad_weight).reshape(2, 3), fc.weight.grad)


def test_a_bias_keeps_its_own_shape(notebook: Notebook) -> None:
    call = notebook.call("fc = nn.Linear(2, 3)\nfc.bias.data = torch.ones(1, 3)\nx = torch.randn(2, 5, 2)\ny = fc(x)")
    after = backward(notebook, call, "y.sum().backward()")
    assert kinds(after)[:2] == ["identical", "identical"]
    assert notebook.names["fc"].bias.grad.tolist() == [[10.0, 10.0, 10.0]]
    assert after.values.grad_bias == [10.0, 10.0, 10.0]


def test_an_operand_without_requires_grad_is_unchecked_with_that_reason(notebook: Notebook) -> None:
    call = notebook.call("fc = nn.Linear(2, 3)\nfc.weight.requires_grad_(False)\nx = torch.randn(5, 2)\ny = fc(x)")
    after = backward(notebook, call, "y.sum().backward()")
    assert kinds(after) == ["unchecked", "identical", "unchecked"]
    assert after.gradients.weight is not None
    assert after.gradients.input is not None
    assert after.gradients.weight.reason == "`fc.weight` does not require grad"
    assert after.gradients.input.reason == "`x` does not require grad"


def test_before_backward_nothing_is_claimed(notebook: Notebook) -> None:
    call = notebook.call("fc = nn.Linear(2, 3)\ny = fc(torch.randn(1, 2))")
    assert kinds(call) == [None, None, None]


def test_under_no_grad_there_is_nothing_to_check(notebook: Notebook) -> None:
    call = notebook.call("fc = nn.Linear(2, 3)\nwith torch.no_grad(): y = fc(torch.randn(1, 2))")
    assert kinds(call) == [None, None, None]


def test_a_second_backward_is_neither_called_wrong_nor_hidden(notebook: Notebook) -> None:
    first = notebook.call("fc = nn.Linear(2, 3)\nx = torch.ones(1, 2)\ny = fc(x)")
    first = backward(notebook, first, "y.sum().backward()")
    second = notebook.call("y = fc(x)")
    second = backward(notebook, second, "y.sum().backward()")
    assert first.gradients.weight is not None
    assert first.gradients.weight.note is None
    assert kinds(second)[:2] == ["identical", "identical"]
    assert second.gradients.weight is not None
    assert second.gradients.bias is not None
    assert second.gradients.weight.note == "`fc.weight.grad` holds 2 backward passes"
    assert second.gradients.bias.note == "`fc.bias.grad` holds 2 backward passes"
    assert notebook.names["fc"].weight.grad.tolist() == [[2.0, 2.0]] * 3
    assert second.values.grad_weight == [1.0] * 6


@pytest.mark.parametrize("reset", ["fc.zero_grad()", "fc.zero_grad(set_to_none=False)"])
def test_after_zero_grad_the_count_begins_anew(notebook: Notebook, reset: str) -> None:
    notebook.run("fc = nn.Linear(2, 3)\nx = torch.ones(1, 2)\nfc(x).sum().backward()\n" + reset)
    second = notebook.call("y = fc(x)")
    second = backward(notebook, second, "y.sum().backward()")
    assert second.gradients.weight is not None
    assert second.gradients.weight.note is None


def test_retain_graph_twice_is_two_passes_of_one_call(notebook: Notebook) -> None:
    call = notebook.call("fc = nn.Linear(2, 3)\nx = torch.ones(1, 2)\ny = fc(x)")
    after = backward(notebook, call, "y.sum().backward(retain_graph=True)\ny.sum().backward()")
    assert kinds(after)[:2] == ["identical", "identical"]
    assert after.gradients.weight is not None
    assert after.gradients.weight.note == "`fc.weight.grad` holds 2 backward passes"


def test_a_gradient_from_before_the_watch_is_told(notebook: Notebook) -> None:
    notebook.session.unwatch()
    notebook.names["fc"] = fc = torch.nn.Linear(2, 3)
    fc(torch.ones(1, 2)).sum().backward()
    notebook.session.watch()
    call = backward(notebook, notebook.call("y = fc(torch.ones(1, 2))"), "y.sum().backward()")
    assert call.gradients.weight is not None
    assert call.gradients.weight.note == "`fc.weight.grad` held other values before this backward, which were added to"


def test_a_gradient_that_something_else_added_to_is_told(notebook: Notebook) -> None:
    notebook.run(
        "fc = nn.Linear(2, 3)\nx = torch.ones(1, 2)\nfc(x).sum().backward()\n(fc.weight ** 2).sum().backward()"
    )
    call = backward(notebook, notebook.call("y = fc(x)"), "y.sum().backward()")
    assert call.gradients.weight is not None
    assert call.gradients.weight.note == "`fc.weight.grad` held other values before this backward, which were added to"
    assert call.gradients.bias is not None
    assert call.gradients.bias.note == "`fc.bias.grad` holds 2 backward passes"


def note(call: Call, operand: str = "weight") -> str | None:
    gradient: Verdict | None = getattr(call.gradients, operand)
    assert gradient is not None
    return gradient.note


def something_else(name: str, shares: str = "this call's share") -> str:
    return f"`{name}.grad` got something else than {shares}: another use of it, or a hook, changed what arrived"


def test_a_backward_within_a_backward_is_no_pass_of_its_own(notebook: Notebook) -> None:
    """As reentrant checkpoints run one."""
    calls = notebook.run(
        "from torch.utils.checkpoint import checkpoint\nfc = nn.Linear(2, 2)\n"
        "x = torch.ones(1, 2, requires_grad=True)\n"
        "y = fc(checkpoint(fc, checkpoint(fc, x, use_reentrant=True), use_reentrant=True))\ny.sum().backward()"
    )
    assert {note(call) for call in map(notebook.again, calls) if call.gradients.weight} == {None}


def test_a_hook_on_the_accumulated_gradient_is_told(notebook: Notebook) -> None:
    notebook.run(
        "fc = nn.Linear(2, 3)\nx = torch.ones(1, 2)\n"
        "fc.weight.register_post_accumulate_grad_hook(lambda p: setattr(p.grad, 'data', p.grad / 2))\n"
        "fc(x).sum().backward()"
    )
    first = notebook.session.calls()[-1]
    assert note(first) == "`fc.weight.grad` was added to by this backward pass, and a hook of yours runs after it"
    after = backward(notebook, notebook.call("y = fc(x)"), "y.sum().backward()")
    assert note(after) == "`fc.weight.grad` was added to by 2 backward passes, and a hook of yours runs after each"


@pytest.mark.parametrize(
    "hook",
    ["lambda g: g.clamp(-.1, .1)", "lambda g: g * 0", "lambda g: g.mul_(2)", "lambda g: None if g.mul_(0) is g else g"],
)
def test_what_a_hook_made_of_the_gradient_is_told(notebook: Notebook, hook: str) -> None:
    call = notebook.call(f"fc = nn.Linear(2, 3)\nfc.weight.register_hook({hook})\ny = fc(torch.ones(1, 2))")
    after = backward(notebook, call, "y.sum().backward()")
    assert kinds(after)[:2] == ["identical", "identical"]
    assert (note(after), note(after, "bias")) == (something_else("fc.weight"), None)


@pytest.mark.parametrize(
    "loss",
    ["y.sum() + fc.weight.sum()", "y.sum() + (fc.weight ** 2).sum()", "y.sum() + F.linear(x, fc.weight * 2).sum()"],
)
def test_another_use_of_the_weight_is_told(notebook: Notebook, loss: str) -> None:
    call = notebook.call("fc = nn.Linear(2, 3)\nx = torch.ones(1, 2)\ny = fc(x)")
    after = backward(notebook, call, f"({loss}).backward()")
    assert (note(after), note(after, "bias")) == (something_else("fc.weight"), None)


def test_a_second_pass_of_which_another_use_is_a_part_says_both(notebook: Notebook) -> None:
    notebook.run("fc = nn.Linear(2, 3)\nx = torch.ones(1, 2)\nfc(x).sum().backward()")
    after = backward(notebook, notebook.call("y = fc(x)"), "(y.sum() + fc.weight.sum()).backward()")
    assert note(after) == something_else("fc.weight") + "; `fc.weight.grad` holds 2 backward passes"


@pytest.mark.parametrize(
    ("before", "loss", "told"),
    [
        ("", "fc(x)", None),
        ("fc(x).sum().backward()", "fc(x)", "`x.grad` holds 2 backward passes"),
        ("", "fc(x) + fc2(x)", "`x.grad` holds the shares of 2 recorded calls"),
        ("", "fc(x) + x @ A", something_else("x")),
        ("", "fc(x) + fc2(x) + x @ A", something_else("x", "the shares of 2 recorded calls")),
        ("x.register_hook(lambda g: g * 2)", "fc(x)", something_else("x")),
    ],
)
@pytest.mark.parametrize("shape", ["2", "4, 2", "3, 4, 2"])
def test_what_the_gradient_of_the_input_holds_is_told(
    notebook: Notebook, shape: str, before: str, loss: str, told: str | None
) -> None:
    notebook.run(
        f"fc, fc2, A = nn.Linear(2, 3), nn.Linear(2, 3), torch.randn(2, 3)\nx = torch.randn({shape}).requires_grad_()\n"
        + before
    )
    call = notebook.run(f"y = {loss}")[0]
    assert note(backward(notebook, call, "y.sum().backward()"), "input") == told


def test_an_input_that_is_a_view_of_a_leaf_is_not_the_leaf(notebook: Notebook) -> None:
    notebook.run("fc = nn.Linear(2, 3)\nx = torch.randn(8).requires_grad_()\nfc(x.view(4, 2)).sum().backward()")
    after = backward(notebook, notebook.call("y = fc(x.view(4, 2))"), "y.sum().backward()")
    assert note(after, "input") is None


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
@pytest.mark.parametrize("calls", [1, 2, 40])
def test_shares_in_any_order_are_what_arrives(notebook: Notebook, dtype: str, calls: int) -> None:
    made = notebook.run(
        f"fc = nn.Linear(5, 5, dtype=torch.{dtype})\nh = torch.randn(3, 5, dtype=torch.{dtype})\n"
        f"for _ in range({calls}): h = torch.tanh(fc(h)) * 3\n(h * torch.randn(3, 5)).sum().backward()"
    )
    told = {note(notebook.again(call), operand) for call in made for operand in ("weight", "bias")}
    holds = {f"`fc.{it}.grad` holds the shares of {calls} recorded calls" for it in ("weight", "bias")}
    assert told == (holds if calls > 1 else {None})


def test_shares_of_autocast_are_cast_before_they_arrive(notebook: Notebook) -> None:
    calls = notebook.run(
        "fc = nn.Linear(5, 5)\nx = torch.randn(3, 5, requires_grad=True)\n"
        "with torch.autocast('cpu', torch.bfloat16):\n    y = fc(torch.tanh(fc(x)))\n"
        "y.float().pow(2).sum().backward()"
    )
    told = [note(notebook.again(call)) for call in calls]
    assert told == ["`fc.weight.grad` holds the shares of 2 recorded calls"] * 2
    assert note(notebook.again(calls[0]), "input") is None


def test_a_share_that_is_not_a_number_arrives_as_one(notebook: Notebook) -> None:
    call = notebook.call("fc = nn.Linear(2, 3)\ny = fc(torch.tensor([[float('nan'), float('inf')]]))")
    assert note(backward(notebook, call, "y.sum().backward()")) == "NaN counts as equal to NaN"


@pytest.mark.parametrize(
    "backward",
    ["y.sum().backward()", "torch.autograd.grad(y.sum(), [*fc.parameters(), x])", "torch.autograd.grad(y.sum(), x)"],
)
def test_no_gradient_is_held_after_the_backward(notebook: Notebook, backward: str) -> None:
    notebook.run("fc = nn.Linear(2, 3)\nx = torch.ones(1, 2, requires_grad=True)\ny = fc(x)")
    notebook.run(f"found = {backward}\nfc.weight.grad = fc.bias.grad = x.grad = None\ndel found, y")
    assert held(notebook) == []


def test_no_gradient_is_held_after_a_backward_that_raised(notebook: Notebook) -> None:
    notebook.run(
        "fc = nn.Linear(2, 3)\nx = torch.ones(1, 2, requires_grad=True)\ndef fail(g): raise ValueError\n"
        "h = x * 1\nh.register_hook(fail)\ny = fc(h)\ny2 = fc(x).sum() + y.sum()"
    )
    with pytest.raises(ValueError):  # noqa: PT011
        notebook.run("y2.backward()")
    assert held(notebook) == []


def held(notebook: Notebook) -> list[object]:
    """What a backward has left on its way."""
    assert notebook.session._recording is not None
    states = list(notebook.session._recording._gradients._passes._of.values())
    assert states
    gc.collect()
    return [shares for state in states for shares in state.arriving.values()]


def test_a_hook_of_the_users_does_not_see_its_gradient_held(notebook: Notebook) -> None:
    """Autograd takes a gradient that nobody else holds, instead of copying it."""
    made = (
        "fc = nn.Linear(64, 64)\nx = torch.ones(1, 64)\nfound = []\n"
        "fc.bias.register_hook(lambda g: found.append(g.data_ptr()))\n"
    )
    notebook.run(made + "fc(x).sum().backward()\nsame = fc.bias.grad.data_ptr() in found")
    watched = notebook.names["same"]
    notebook.session.unwatch()
    notebook.run(made + "fc(x).sum().backward()\nsame = fc.bias.grad.data_ptr() in found")
    assert watched == notebook.names["same"]


def test_backwards_in_several_threads_do_not_disturb_each_other(notebook: Notebook) -> None:
    calls = notebook.run(
        "import threading\nfc = nn.Linear(8, 8)\nlosses = [fc(torch.randn(5, 8)).pow(2).sum() for _ in range(8)]\n"
        "threads = [threading.Thread(target=loss.backward) for loss in losses]\n"
        "for t in threads: t.start()\nfor t in threads: t.join()"
    )
    told = [note(notebook.again(call)) for call in calls]
    assert not any(it and "something else" in it for it in told)


def test_a_penalty_on_the_weight_is_not_counted_as_a_call(notebook: Notebook) -> None:
    calls = notebook.run(
        "fc = nn.Linear(2, 2)\nh = fc(fc(torch.ones(1, 2)))\n(h.sum() + (fc.weight ** 2).sum()).backward()"
    )
    assert {note(notebook.again(call)) for call in calls} == {
        something_else("fc.weight", "the shares of 2 recorded calls")
    }


def test_a_call_whose_gradient_was_asked_for_alone_takes_no_part_in_a_later_pass(notebook: Notebook) -> None:
    call = notebook.call("fc = nn.Linear(2, 3)\nx = torch.ones(1, 2, requires_grad=True)\ny = fc(x)")
    notebook.run("(fc.weight ** 2).sum().backward()")
    after = backward(notebook, call, "torch.autograd.grad(y.sum(), x)\n(fc.weight ** 2).sum().backward()")
    assert kinds(after) == ["unchecked", "unchecked", "identical"]
    assert note(after) is None


def test_a_gradient_whose_memory_was_exchanged_is_told(notebook: Notebook) -> None:
    notebook.run(
        "fc = nn.Linear(2, 3)\nx = torch.ones(1, 2)\nfc(x).sum().backward()\nfc.weight.grad.data = torch.ones(3, 2)"
    )
    after = backward(notebook, notebook.call("y = fc(x)"), "y.sum().backward()")
    assert note(after) == "`fc.weight.grad` held other values before this backward, which were added to"


def test_a_second_pass_keeps_what_the_verdict_itself_remarks(notebook: Notebook) -> None:
    notebook.run("fc = nn.Linear(2, 3)\nx = torch.full((1, 2), float('nan'))\nfc(x).sum().backward()")
    after = backward(notebook, notebook.call("y = fc(x)"), "y.sum().backward()")
    assert note(after) == "NaN counts as equal to NaN; `fc.weight.grad` holds 2 backward passes"


def test_a_nameless_weight_has_a_gradient_without_a_name(notebook: Notebook) -> None:
    source = "list(map(kept[1.5], [torch.ones(1, 2)]))[0].sum().backward()"
    notebook.run("kept = {1.5: nn.Linear(2, 3)}\n" + source)
    (call,) = notebook.run(source)
    assert note(notebook.again(call)) == "its gradient holds 2 backward passes"


def test_a_gradient_made_in_inference_mode_is_no_fault_of_ours(notebook: Notebook) -> None:
    notebook.run(
        "fc = nn.Linear(2, 3)\nfc(torch.ones(1, 2)).sum().backward()\n"
        "with torch.inference_mode(): g = torch.ones(3, 2)\nfc.weight.grad = g"
    )
    call = notebook.call("y = fc(torch.ones(1, 2))")
    with pytest.raises(RuntimeError, match="Inplace update to inference tensor"):
        notebook.run("y.sum().backward()")
    assert kinds(notebook.again(call))[:2] == ["identical", "identical"]
    assert notebook.session.guard.report() is None


def test_under_autocast_passes_are_counted_too(notebook: Notebook) -> None:
    source = "with torch.autocast('cpu', torch.bfloat16): y = fc(x)\ny.sum().backward()"
    notebook.run("fc = nn.Linear(2, 3)\nx = torch.ones(1, 2)\n" + source)
    (call,) = notebook.run(source)
    gradient = notebook.again(call).gradients.weight
    assert gradient is not None
    assert gradient.note == "`fc.weight.grad` holds 2 backward passes"


def test_gradients_that_go_nowhere_pile_up_nowhere(notebook: Notebook) -> None:
    notebook.run(
        "fc = nn.Linear(2, 3)\nx = torch.ones(1, 2, requires_grad=True)\n"
        "for _ in range(50): torch.autograd.grad(fc(x).sum(), x)"
    )
    assert notebook.session._recording is not None
    states = notebook.session._recording._gradients._passes._of.values()
    assert all(not state.arriving for state in states)


def test_a_one_dimensional_weight_behind_a_layer_is_left_alone(notebook: Notebook) -> None:
    """The product with a vector is another node; behind it lies the graph of the layer before."""
    layer, vector = notebook.run(
        "fc = nn.Linear(2, 1)\nx = torch.randn(5, 2)\nw = torch.randn(1, requires_grad=True)\ny = F.linear(fc(x), w)"
    )
    notebook.run("y.sum().backward()")
    assert kinds(notebook.again(vector)) == ["unchecked", None, "unchecked"]
    assert kinds(notebook.again(layer))[:2] == ["identical", "identical"]
    gradient = notebook.again(layer).gradients.weight
    assert gradient is not None
    assert gradient.note is None


@pytest.mark.parametrize("bias", [True, False])
def test_a_frozen_weight_with_a_strided_batch_is_followed(notebook: Notebook, bias: bool) -> None:
    call = notebook.call(
        f"fc = nn.Linear(6, 4, bias={bias})\nfc.weight.requires_grad_(False)\n"
        "x = torch.randn(5, 6, 2).permute(2, 0, 1).requires_grad_()\ny = fc(x)"
    )
    after = backward(notebook, call)
    assert kinds(after)[0] == "unchecked"
    assert kinds(after)[1] in ({"identical", "rounding"} if bias else {None})
    assert kinds(after)[2] in {"identical", "rounding"}


@pytest.mark.parametrize("x", SHAPES.values(), ids=SHAPES.keys())
def test_a_bias_that_is_trained_alone_is_checked(notebook: Notebook, x: str) -> None:
    call = notebook.call(f"fc = nn.Linear(6, 2)\nfc.weight.requires_grad_(False)\nx = {x}\ny = fc(x)")
    for passes in (1, 2):
        after = backward(notebook, call, "y.sum().backward(retain_graph=True)")
        rows = float(notebook.names["x"].numel() // 6)
        assert kinds(after) == ["unchecked", "identical", "unchecked"]
        assert after.values.grad_bias == [rows, rows]
        assert notebook.names["fc"].bias.grad.tolist() == [passes * rows] * 2
    noted = after.gradients.bias and after.gradients.bias.note
    assert noted == ("`fc.bias.grad` holds 2 backward passes" if rows else None)


def test_batched_gradients_of_every_operand_say_so(notebook: Notebook) -> None:
    """Also of a bias that is added by a node of its own."""
    call = notebook.call("fc = nn.Linear(2, 3)\nx = torch.randn(3, 2, 1).permute(2, 0, 1).expand(2, 3, 2)\ny = fc(x)")
    after = backward(notebook, call, "torch.autograd.grad(y, fc.bias, torch.ones(2, 2, 3, 3), is_grads_batched=True)")
    assert after.gradients.bias is not None
    assert after.gradients.bias.reason == "a batch of gradients at once"


def test_hooks_on_saved_tensors_run_as_often_as_without_us(notebook: Notebook) -> None:
    call = notebook.call(
        "unpacked = []\nfc = nn.Linear(2, 3)\nx = torch.randn(1, 2, requires_grad=True)\n"
        "with torch.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: unpacked.append(1) or t): y = fc(x)"
    )
    after = backward(notebook, call, "y.sum().backward()")
    assert notebook.names["unpacked"] == [1, 1]
    assert kinds(after) == ["unchecked"] * 3


def test_batched_gradients_are_unchecked(notebook: Notebook) -> None:
    call = notebook.call("fc = nn.Linear(2, 3)\nx = torch.randn(1, 2, requires_grad=True)\ny = fc(x)")
    after = backward(notebook, call, "torch.autograd.grad(y, x, torch.eye(3).reshape(3, 1, 3), is_grads_batched=True)")
    assert set(kinds(after)) == {"unchecked"}


def test_several_calls_of_one_layer_in_one_backward_are_judged_each(notebook: Notebook) -> None:
    calls = notebook.run(
        "fc = nn.Linear(2, 2)\nx = torch.randn(3, 2, requires_grad=True)\n"
        "h = fc(x)\nfor _ in range(3): h = fc(torch.tanh(h))"
    )
    notebook.run("h.sum().backward()")
    after = [notebook.again(call) for call in calls]
    assert all(set(kinds(call)) <= {"identical", "rounding"} for call in after)
    notes = {call.gradients.weight.note for call in after if call.gradients.weight}
    assert notes == {"`fc.weight.grad` holds the shares of 4 recorded calls"}
    total = sum(torch.tensor(call.values.grad_weight, dtype=torch.float64) for call in after)
    assert total == pytest.approx(notebook.names["fc"].weight.grad.flatten().double(), rel=1e-5)


def test_a_call_that_this_backward_does_not_reach_is_not_counted(notebook: Notebook) -> None:
    one, two = notebook.run("fc = nn.Linear(2, 2)\nx = torch.randn(3, 2)\ny = fc(x)\nz = fc(x)")
    notebook.run("z.sum().backward()")
    assert kinds(notebook.again(one)) == [None, None, None]
    gradient = notebook.again(two).gradients.weight
    assert gradient is not None
    assert gradient.note is None


def test_a_weight_shared_with_other_code_is_judged_by_this_calls_share(notebook: Notebook) -> None:
    """The penalty adds 2w to the gradient; the call's own share is g.T @ x all the same."""
    call = notebook.call("fc = nn.Linear(2, 2)\nx = torch.randn(3, 2)\ny = fc(x)")
    after = backward(notebook, call, "(y.sum() + (fc.weight ** 2).sum() + fc.bias.sum()).backward()")
    assert kinds(after)[:2] == ["identical", "identical"]


def test_tied_weights_are_judged_in_both_places(notebook: Notebook) -> None:
    a, b = notebook.run(
        "fc = nn.Linear(2, 2)\nhead = nn.Linear(2, 2)\nhead.weight = fc.weight\ny = head(fc(torch.randn(3, 2)))"
    )
    notebook.run("y.sum().backward()")
    assert [kinds(notebook.again(call))[0] for call in (a, b)] == ["identical", "identical"]


def test_an_in_place_relu_behind_the_layer_does_no_harm(notebook: Notebook) -> None:
    call = notebook.call("fc = nn.Linear(2, 3)\nx = torch.randn(5, 2, requires_grad=True)\ny = torch.relu_(fc(x))")
    after = backward(notebook, call, "y.sum().backward()")
    assert set(kinds(after)) <= {"identical", "rounding"}


def test_autocast_gradients_agree_in_the_low_precision(notebook: Notebook) -> None:
    call = notebook.call(
        "fc = nn.Linear(32, 4)\nx = torch.randn(8, 32, requires_grad=True)\n"
        "with torch.autocast('cpu', torch.bfloat16): y = fc(x)"
    )
    after = backward(notebook, call, "y.float().pow(2).sum().backward()")
    assert set(kinds(after)) <= {"identical", "rounding"}


def test_autograd_grad_of_one_operand_leaves_the_others_unchecked(notebook: Notebook) -> None:
    call = notebook.call("fc = nn.Linear(2, 3)\nx = torch.randn(5, 2, requires_grad=True)\ny = fc(x)")
    after = backward(notebook, call, "torch.autograd.grad(y.sum(), [fc.weight])")
    assert kinds(after) == ["identical", "unchecked", "unchecked"]
    assert after.gradients.input is not None
    assert after.gradients.input.reason == "this backward did not ask for it"


def test_no_tensor_lives_longer_because_of_the_hooks(notebook: Notebook) -> None:
    notebook.run("fc = nn.Linear(2, 3)\nx = torch.randn(5, 2, requires_grad=True)\nh = x * 2\ny = fc(h)")
    references = [weakref.ref(notebook.names.pop(name)) for name in ("x", "h", "y", "fc")]
    notebook.run("pass")
    gc.disable()
    try:
        assert [r() for r in references] == [None] * 4
    finally:
        gc.enable()


def test_a_graph_whose_backward_never_runs_is_freed(notebook: Notebook) -> None:
    """The saved input of `AddmmBackward0` dies with the graph, so no hook keeps the node alive."""
    notebook.run("fc = nn.Linear(2, 3)\nh = torch.randn(5, 2) * 2\ny = fc(h)")
    storage = weakref.ref(notebook.names["h"].untyped_storage())
    memory = weakref.ref(notebook.names["h"])
    del notebook.names["h"], notebook.names["y"]
    notebook.run("pass")
    gc.collect()
    assert memory() is None
    assert storage() is None


def test_unwatching_takes_the_hooks_off_a_living_graph(notebook: Notebook) -> None:
    call = notebook.call("fc = nn.Linear(2, 3)\ny = fc(torch.ones(1, 2))")
    notebook.session.unwatch()
    notebook.names["y"].sum().backward()
    assert kinds(notebook.again(call)) == [None, None, None]


def test_the_users_tensors_carry_no_hook_of_ours(notebook: Notebook) -> None:
    notebook.run("fc = nn.Linear(2, 3)\nx = torch.ones(1, 2, requires_grad=True)\ny = fc(x)\ny.sum().backward()")
    tensors = [notebook.names["x"], notebook.names["y"], *notebook.names["fc"].parameters()]
    assert [t._backward_hooks for t in tensors] == [None] * 4


def test_the_gradient_of_a_bias_that_had_another_shape_is_unchecked(notebook: Notebook) -> None:
    """The older graph keeps the node that accumulates it."""
    call = notebook.run(
        "fc = nn.Linear(2, 3)\nx = torch.ones(1, 2)\no = fc(x)\nfc.bias.data = torch.ones(1)\ny = fc(x)"
    )[-1]
    after = backward(notebook, call, "y.sum().backward()")
    assert kinds(after)[:2] == ["identical", "unchecked"]
    assert after.gradients.bias is not None
    assert after.gradients.bias.reason == "its gradient has shape [3], `fc.bias` has [1]"


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """The CPU, taken for a device that works on its own; whether it is done."""
    done = [False]
    for module in ("gradient", "passes"):
        monkeypatch.setattr(f"torchtwin.kernel.{module}.is_queued", lambda tensor: True)
    monkeypatch.setattr("torchtwin.kernel.proof.pending.Pending.ready", lambda it: done[0])
    return done


def settle(notebook: Notebook) -> None:
    recording = notebook.session._recording
    assert recording is not None
    recording._gradients.settle()


def test_gradients_on_a_device_are_judged_when_it_is_done(notebook: Notebook, device: list[bool]) -> None:
    call = notebook.call("fc = nn.Linear(6, 4)\nx = torch.randn(5, 6, requires_grad=True)\ny = fc(x)")
    before: list[Call] = []
    recorder = notebook.session.recorder
    notebook.names["look"] = lambda: before.extend(it for it in recorder.calls() if it.id == call.id)
    backward(notebook, call, "y.sum().backward(); look()")
    assert kinds(before[0]) == ["unchecked"] * 3
    assert before[0].gradients.weight is not None
    assert before[0].gradients.weight.reason == "the verdict is on its way"
    assert set(kinds(notebook.again(call))) <= {"identical", "rounding"}


def test_what_a_device_has_done_is_told_by_the_next_backward(notebook: Notebook, device: list[bool]) -> None:
    first = backward(notebook, notebook.call("fc = nn.Linear(6, 4)\ny = fc(torch.randn(5, 6))"))
    device[0] = True
    backward(notebook, notebook.call("y = fc(torch.randn(5, 6))"))
    assert kinds(notebook.again(first))[:2] == ["identical", "identical"]


def test_of_zeros_on_a_device_nothing_is_said_that_would_have_to_be_read(
    notebook: Notebook, device: list[bool]
) -> None:
    notebook.run("fc = nn.Linear(2, 3)\nx = torch.ones(1, 2)\nfc(x).sum().backward()\nfc.zero_grad(set_to_none=False)")
    second = backward(notebook, notebook.call("y = fc(x)"), "y.sum().backward()")
    assert note(second) is None
    third = backward(notebook, notebook.call("fc.zero_grad()\ny = fc(x)"), "y.sum().backward()")
    assert note(third) is None
    fourth = backward(notebook, notebook.call("y = fc(x)"), "y.sum().backward()")
    assert note(fourth) == "`fc.weight.grad` holds 2 backward passes"


def test_no_tensor_is_held_once_the_watch_ends_before_the_device_is_done(
    notebook: Notebook, device: list[bool]
) -> None:
    backward(notebook, notebook.call("fc = nn.Linear(6, 4)\nx = torch.randn(5, 6)\ny = fc(x)"))
    memory = weakref.ref(notebook.names["x"].untyped_storage())
    notebook.session.unwatch()
    notebook.names.clear()
    gc.collect()
    assert memory() is None
