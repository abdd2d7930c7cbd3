"""The forward verdict, its numbers computed again in NumPy, fractions or by hand."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from tests.python.kernel.conftest import Notebook

from torchtwin.kernel import check
from torchtwin.protocol import Verdict

SHAPES = {
    "one dimension": "torch.randn(6)",
    "two": "torch.randn(5, 6)",
    "three": "torch.randn(2, 5, 6)",
    "four": "torch.randn(2, 2, 5, 6)",
    "not contiguous": "torch.randn(6, 5).T",
    "three, not contiguous": "torch.randn(5, 6, 2).permute(2, 0, 1)",
    "expanded": "torch.randn(1, 6).expand(5, 6)",
    "empty batch": "torch.randn(0, 6)",
    "empty batch of three": "torch.randn(2, 0, 6)",
}


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
@pytest.mark.parametrize("x", SHAPES.values(), ids=SHAPES.keys())
def test_an_honest_layer_is_never_different(notebook: Notebook, x: str, dtype: str, bias: bool) -> None:
    call = notebook.call(
        f"fc = nn.Linear(6, 4, bias={bias}, dtype=torch.{dtype})\nx = {x}.to(torch.{dtype})\ny = fc(x)"
    )
    elements = notebook.names["y"].numel()
    assert call.forward.kind in ("identical", "rounding")
    assert (call.forward.elements, call.forward.coverage) == (elements, "all")
    assert (call.operands.bias is None) == (not bias)


def test_a_layer_outside_the_bound_is_different(notebook: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    """One element moved by four times the bound, which is 3u (|x||w| + |b|) for K = 2."""
    moved = 4 * 3 * 2.0**-24 * (10 * 11 + 20 * 12 + 31)
    notebook.session.unwatch()
    original = torch.nn.functional.linear

    def broken(*operands: torch.Tensor) -> torch.Tensor:
        out = original(*operands)
        out.view(-1)[0] += moved
        return out

    monkeypatch.setattr(torch.nn.functional, "linear", broken)
    notebook.session.watch()
    call = notebook.call(
        "x = torch.tensor([[10., 20.]])\nw = torch.tensor([[11., 12.], [21., 22.]])\nb = torch.tensor([31., 32.])\n"
        "with torch.no_grad(): F.linear(x, w, b)"
    )
    notebook.session.unwatch()
    assert call.forward.kind == "different"
    assert (call.forward.equal_elements, call.forward.elements) == (1, 2)
    assert call.forward.diagnosis is not None
    assert call.forward.diagnosis.code == "partial"
    assert "1 of 2 elements lies outside" in call.forward.message
    assert "first [0, 0]" in call.forward.message


def test_the_reference_is_better_than_float32(notebook: Notebook) -> None:
    """1e8 + 1 - 1e8 is 1; float32 may say 0, or 8: both are honest, and far from each other in units of the result."""
    call = notebook.call("x = torch.tensor([[1e8, 1.0, -1e8]])\nw = torch.ones(1, 3)\ny = F.linear(x, w)")
    exact = Fraction(10**8) + 1 - Fraction(10**8)
    error = abs(Fraction(float(notebook.names["y"])) - exact)
    assert error <= Fraction(4) / 2**24 * (2 * 10**8 + 1)
    assert call.forward.kind in ("identical", "rounding")


def test_a_two_dimensional_bias_on_one_dimensional_input_has_another_shape(notebook: Notebook) -> None:
    call = notebook.call(
        "x = torch.tensor([10., 20.])\nfc = nn.Linear(2, 3)\nb = torch.ones(1, 3)\nfc.bias.data = b\ny = fc(x)"
    )
    assert tuple(notebook.names["y"].shape) == (3,)
    assert call.forward.kind == "different"
    assert call.forward.equal_elements == 3
    assert call.forward.diagnosis is not None
    assert call.forward.diagnosis.code == "shape"
    assert "the layer returns [3]" in call.forward.message
    assert "gives [1, 3]" in call.forward.message


@pytest.mark.parametrize("cache", [True, False])
def test_under_autocast_the_twin_casts_as_the_layer_did(notebook: Notebook, cache: bool) -> None:
    call = notebook.call(
        "fc = nn.Linear(64, 8)\nx = torch.randn(5, 64)\n"
        f"with torch.autocast('cpu', torch.bfloat16, cache_enabled={cache}):\n    y = fc(x)"
    )
    assert call.operands.output is not None
    assert call.operands.output.dtype == "bfloat16"
    assert call.expression == "x.bfloat16() @ fc.weight.bfloat16().T + fc.bias.bfloat16()"
    assert call.forward.kind in ("identical", "rounding")
    formula = eval(call.expression, notebook.names)
    assert formula.dtype == torch.bfloat16
    assert torch.allclose(formula.float(), notebook.names["y"].float(), atol=0.1)


def test_under_autocast_the_elements_that_travel_are_those_that_were_multiplied(notebook: Notebook) -> None:
    call = notebook.call(
        "fc = nn.Linear(2, 3)\nx = torch.tensor([[0.1, 0.2]])\n"
        "with torch.autocast('cpu', torch.bfloat16):\n    y = fc(x)"
    )
    assert call.values.input == [0.10009765625, 0.2001953125]  # 0.1 and 0.2 in eight bits
    fc = notebook.names["fc"]
    assert call.values.weight == [float(value.bfloat16()) for value in fc.weight.detach().flatten()]
    assert call.values.bias == [float(value.bfloat16()) for value in fc.bias.detach()]


def test_nan_and_infinity_on_both_sides_agree(notebook: Notebook) -> None:
    call = notebook.call("x = torch.tensor([[float('nan'), 1.], [float('inf'), 1.]])\nfc = nn.Linear(2, 3)\ny = fc(x)")
    assert call.forward.kind == "identical"
    assert call.forward.equal_elements == 6
    assert call.values.input == ["nan", 1.0, "inf", 1.0]


def test_an_overflow_on_one_way_alone_is_honest(notebook: Notebook) -> None:
    """60000 + 30000 passes the largest half, 65504; minus 30000 it comes back, if in time."""
    call = notebook.call(
        "x = torch.tensor([[1., 1.]], dtype=torch.half)\nw = torch.tensor([[60000., 30000.]], dtype=torch.half)\n"
        "b = torch.tensor([-30000.], dtype=torch.half)\ny = F.linear(x, w, b)"
    )
    assert call.forward.kind in ("identical", "rounding")


def test_subnormal_results_are_honest(notebook: Notebook) -> None:
    call = notebook.call("x = torch.full((3, 50), 1e-22)\nw = torch.full((2, 50), 1e-22)\ny = F.linear(x, w)")
    assert call.forward.kind in ("identical", "rounding")


def test_a_call_of_more_than_the_limit_is_probed(notebook: Notebook) -> None:
    call = notebook.call("with torch.no_grad(): y = F.linear(torch.ones(1001, 100), torch.ones(100, 100))")
    assert (call.forward.kind, call.forward.coverage) == ("identical", "probe")
    assert call.forward.probe is not None
    assert call.forward.probe.alarms == 0


def test_a_call_of_exactly_the_limit_is_checked_in_full(notebook: Notebook) -> None:
    call = notebook.call("with torch.no_grad(): y = F.linear(torch.ones(1000, 100), torch.ones(100, 100))")
    assert (call.forward.kind, call.forward.coverage) == ("identical", "all")


def test_a_layer_that_computes_something_else_is_diagnosed(notebook: Notebook) -> None:
    """As where somebody has put a function of their own in the place of `F.linear`, before the watch."""
    notebook.session.unwatch()
    original = torch.nn.functional.linear
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.nn.functional, "linear", lambda input, weight, bias=None: original(input, weight))
        notebook.session.watch()
        call = notebook.call("x = torch.randn(3, 2)\nfc = nn.Linear(2, 4)\ny = fc(x)")
        notebook.session.unwatch()
    assert call.forward.kind == "different"
    assert call.forward.diagnosis is not None
    assert call.forward.diagnosis.code == "missing_bias"
    assert call.forward.diagnosis.message == (
        "The layer's output lacks the bias: it is `x @ fc.weight.T`. Write `x @ fc.weight.T + fc.bias`."
    )


def test_large_gradients_are_probed_as_well(notebook: Notebook) -> None:
    call = notebook.call(
        "x = torch.randn(400, 200, requires_grad=True)\nfc = nn.Linear(200, 200)\nfc(x).sum().backward()"
    )
    of = notebook.again(call).gradients
    assert of.weight is not None
    assert of.input is not None
    assert of.bias is not None
    assert [of.weight.coverage, of.input.coverage, of.bias.coverage] == ["probe", "probe", "all"]


def test_the_probe_leaves_the_users_random_numbers_alone(notebook: Notebook) -> None:
    notebook.run("torch.manual_seed(1)\nfc = nn.Linear(500, 300)\nx = torch.randn(200, 500)\nplain = torch.rand(3)")
    notebook.run(
        "torch.manual_seed(1)\nfc = nn.Linear(500, 300)\nx = torch.randn(200, 500)\nfc(x)\nprobed = torch.rand(3)"
    )
    assert notebook.names["plain"].tolist() == notebook.names["probed"].tolist()


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (
            "F.linear(torch.ones(2, 3, dtype=torch.long), torch.ones(4, 3, dtype=torch.long))",
            "no rounding bound for int64",
        ),
        (
            "F.linear(torch.ones(2, 3, dtype=torch.cfloat), torch.ones(4, 3, dtype=torch.cfloat))",
            "no rounding bound for",
        ),
        ("nn.Linear(3, 4, device='meta')(torch.ones(2, 3, device='meta'))", "meta tensors hold no values"),
        ("torch.func.vmap(nn.Linear(3, 4))(torch.ones(2, 3))", "inside a torch.func transform"),
    ],
)
def test_what_cannot_be_judged_is_unchecked_with_the_reason(notebook: Notebook, source: str, reason: str) -> None:
    call = notebook.run(source)[0]
    assert call.forward.kind == "unchecked"
    assert call.forward.reason is not None
    assert call.forward.reason.startswith(reason)


def test_a_tensor_subclass_is_unchecked(notebook: Notebook) -> None:
    call = notebook.call(
        "class Mine(torch.Tensor): pass\nF.linear(torch.ones(2, 3).as_subclass(Mine), torch.ones(4, 3))"
    )
    assert call.forward.reason == "Mine is a tensor subclass"


def test_small_operands_alone_travel(notebook: Notebook) -> None:
    call = notebook.call("fc = nn.Linear(16, 17)\nfc(torch.ones(1, 16))")
    assert call.values.weight is None  # 272 elements
    assert call.values.input is not None
    assert len(call.values.input) == 16


def test_what_travels_in_one_cell_is_bounded(notebook: Notebook) -> None:
    calls = notebook.run("fc = nn.Linear(16, 16)\nx = torch.ones(1, 16)\nfor _ in range(500): fc(x)")
    travelled = sum(
        len(v)
        for c in calls
        for v in (c.values.input, c.values.weight, c.values.bias, c.values.output)
        if v is not None
    )
    assert calls[-1].values.weight is None
    assert 99_000 < travelled <= 100_000
    assert notebook.call("fc(x)").values.weight is not None


def test_an_output_on_a_device_is_judged_when_it_is_done(notebook: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("observe", "past", "gradient", "passes"):
        monkeypatch.setattr(f"torchtwin.kernel.{module}.is_queued", lambda tensor: True)
    monkeypatch.setattr("torchtwin.kernel.proof.pending.Pending.ready", lambda it: False)
    before: list[Verdict] = []
    notebook.names["look"] = lambda: before.append(notebook.session.recorder.calls()[-1].forward)
    call = notebook.call("fc = nn.Linear(6, 4)\ny = fc(torch.randn(5, 6))\nlook()")
    assert (before[0].kind, before[0].reason) == ("unchecked", "the verdict is on its way")
    assert call.forward.kind in ("identical", "rounding")


@pytest.mark.parametrize("layout", ["torch.jagged", "torch.strided"])
@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_a_nested_input_is_recorded_and_unchecked(notebook: Notebook, layout: str) -> None:
    call = notebook.call(
        "fc = nn.Linear(2, 3)\n"
        f"x = torch.nested.nested_tensor([torch.ones(2, 2), torch.ones(3, 2)], layout={layout})\ny = fc(x)"
    )
    assert call.forward.reason == "nested tensors have no one shape"
    assert call.operands.input is not None
    assert call.operands.input.shape == [2, -1, -1]


def test_of_an_empty_batch_of_a_large_layer_nothing_is_wrong(notebook: Notebook) -> None:
    call = notebook.call("fc = nn.Linear(4096, 4096)\nx = torch.empty(0, 4096, requires_grad=True)\ny = fc(x)")
    assert call.forward.message == "identical: both are empty"
    notebook.run("y.sum().backward()")
    gradients = notebook.again(call).gradients
    assert gradients.weight is not None
    assert gradients.input is not None
    assert (gradients.weight.kind, gradients.input.message) == ("identical", "identical: both are empty")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_sum_of_many_terms_is_summed_exactly_only_where_the_bits_differ(
    dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact: list[object] = []
    original = check.exact_sum
    monkeypatch.setattr(check, "exact_sum", lambda *of: exact.append(of) or original(*of))
    terms = torch.randn(check.MAX_ELEMENTS_SUMMED // 4 + 1, 4, generator=torch.Generator().manual_seed(0)).to(dtype)
    layer = terms.sum(0)
    verdict, formula = check.check_sum(layer, terms, layer.shape)
    assert (verdict.kind, verdict.equal_elements, verdict.elements, exact) == ("identical", 4, 4, [])
    assert torch.equal(formula, layer)
    wrong = layer.clone()
    wrong[2] += 100
    assert check.check_sum(wrong, terms, layer.shape)[0].outside == [2]
    off_by_one = layer.clone()
    off_by_one[1] = torch.nextafter(layer[1].float(), torch.tensor(torch.inf)) if dtype == torch.float32 else layer[1]
    assert check.check_sum(off_by_one, terms, layer.shape)[0].kind in ("rounding", "identical")
    assert exact


def test_nan_in_a_sum_of_many_terms_is_told() -> None:
    terms = torch.randn(check.MAX_ELEMENTS_SUMMED // 4 + 1, 4)
    terms[7, 1] = torch.nan
    verdict, _ = check.check_sum(terms.sum(0), terms, torch.Size([4]))
    assert (verdict.kind, verdict.note) == ("identical", "NaN counts as equal to NaN")


def test_a_large_result_of_nothing_is_compared_in_full_and_warns_nobody(notebook: Notebook) -> None:
    call = notebook.call("y = F.linear(torch.empty(600, 0), torch.empty(600, 0))")
    assert (call.forward.kind, call.forward.coverage) == ("identical", "all")
