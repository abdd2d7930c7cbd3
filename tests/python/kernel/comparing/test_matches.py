"""Variables that turn out to be an output or a gradient are found unasked; others are left in peace."""

from __future__ import annotations

import math
import tracemalloc

import pytest
from tests.python.kernel.conftest import Notebook

from torchtwin.kernel.comparing import candidates, matches
from torchtwin.protocol import Match, Tensors

AFTER_CELL = matches.Matcher.after_cell
SIDE = candidates.side


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is."""
    monkeypatch.setattr(matches.Matcher, "after_cell", lambda self, names, seconds: AFTER_CELL(self, names, 60.0))


SQUARE = "x = torch.randn(4, 3)\nfc = nn.Linear(3, 3)\ny = fc(x)\n"


def found(notebook: Notebook) -> dict[str, Match]:
    return {match.name: match for call in notebook.session.calls() for match in call.matches}


def tensors(notebook: Notebook) -> Tensors:
    events = [envelope.event for envelope in notebook.session.page(0, 10_000).envelopes]
    (table,) = [event for event in events if isinstance(event, Tensors)]
    return table


def test_a_formula_is_found_to_be_the_output(notebook: Notebook) -> None:
    notebook.run(SQUARE + "hand = x @ fc.weight.T + fc.bias")
    match = found(notebook)["hand"]
    assert (match.of, match.verdict.kind in ("identical", "rounding"), match.verdict.proof) == ("output", True, True)


def test_gradients_by_hand_are_found(notebook: Notebook) -> None:
    notebook.run(SQUARE + "y.sum().backward()\ng = torch.ones(4, 3)\ndw = g.T @ x\n")
    notebook.run("w = fc.weight.detach().clone().requires_grad_()\n(x @ w.T).sum().backward()")
    assert {name: match.of for name, match in found(notebook).items()} == {"dw": "weight", "w.grad": "weight"}


def test_a_numpy_array_is_found(notebook: Notebook) -> None:
    notebook.run(SQUARE + "a = x.numpy() @ fc.weight.detach().numpy().T + fc.bias.detach().numpy()")
    assert found(notebook)["a"].of == "output"


def test_a_near_miss_is_offered_with_its_cause(notebook: Notebook) -> None:
    notebook.run(SQUARE + "hand = x @ fc.weight + fc.bias")
    verdict = found(notebook)["hand"].verdict
    assert verdict.kind == "different"
    assert verdict.diagnosis is not None
    assert verdict.diagnosis.code == "missing_transpose"


def test_a_formula_written_before_the_layer_ran_is_found_when_it_runs(notebook: Notebook) -> None:
    notebook.run("x = torch.randn(4, 3)\nfc = nn.Linear(3, 3)\nhand = x @ fc.weight.T + fc.bias")
    notebook.run("y = fc(x)")
    assert set(found(notebook)) == {"hand"}


def test_what_only_shares_the_shape_is_left_in_peace(notebook: Notebook) -> None:
    notebook.run(
        SQUARE + "y.sum().backward()\nones = torch.ones(4, 3)\nzeros = torch.zeros(3)\nmask = torch.ones(3)\n"
        "for i in range(40): globals()[f'v{i}'] = torch.randn(4, 3); globals()[f'w{i}'] = torch.randn(3, 3)"
    )
    assert found(notebook) == {}


def test_the_things_themselves_are_no_matches(notebook: Notebook) -> None:
    notebook.run(SQUARE + "y.sum().backward()\nagain = y\nview = y.view(4, 3)\ngrad = fc.weight.grad\nw = fc.weight")
    assert found(notebook) == {}


def test_a_variable_that_became_something_else_matches_no_more(notebook: Notebook) -> None:
    notebook.run(SQUARE + "hand = x @ fc.weight.T + fc.bias")
    notebook.run("hand = torch.randn(4, 3)")
    assert found(notebook) == {}


def test_a_name_that_holds_no_tensor_any_more_matches_no_more(notebook: Notebook) -> None:
    notebook.run(SQUARE + "hand = x @ fc.weight.T + fc.bias\nother = hand.clone()")
    notebook.run("hand = 'text'\ndel other")
    assert found(notebook) == {}


def test_without_time_nothing_is_looked_at_and_that_is_said(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matches.Matcher, "after_cell", lambda self, names, seconds: AFTER_CELL(self, names, -1.0))
    notebook.run(SQUARE + "hand = x @ fc.weight.T + fc.bias")
    assert found(notebook) == {}
    assert tensors(notebook).unmatched >= 1


LOSS = "t = torch.randn(4, 3)\n((y - t) ** 2).mean().backward()\ng = 2 * (y - t).detach() / y.numel()\n"


@pytest.mark.parametrize(
    "meant",
    [
        "update = -0.1 * fc.weight.grad",
        "new = fc.weight.detach() - 0.1 * fc.weight.grad",
        "dw = 0.1 * fc.weight.grad",
        "dw = -0.01 * fc.weight.grad",
        "direction = -fc.weight.grad",
        "ngrad = -fc.weight.grad",
        "summed = fc.weight.grad * 6",
        "dw = fc.weight.grad.clone()\ntwice = 2 * dw",
        "step = 0.5 * (g.T @ x)",
    ],
)
@pytest.mark.parametrize("seconds", [60.0, math.inf])
def test_a_multiple_of_a_gradient_that_was_meant_is_no_near_miss(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch, meant: str, seconds: float
) -> None:
    monkeypatch.setattr(matches.Matcher, "after_cell", lambda self, names, _: AFTER_CELL(self, names, seconds))
    notebook.run(SQUARE + LOSS + meant)
    assert {name: it for name, it in found(notebook).items() if it.verdict.kind == "different"} == {}


@pytest.mark.parametrize(
    ("slip", "code"),
    [
        ("dW = 2 * g.T @ x", "scaled"),
        ("grad_w = 4 * g.T @ x", "scaled"),
        ("w_grad = g.T @ x / 4", "scaled"),
        ("d_b = g.mean(0)", "scaled"),
        ("dL_dW = g.T @ x / 2", "scaled"),
        ("dw1 = -g.T @ x", "negated"),
    ],
)
def test_a_gradient_by_hand_that_is_off_by_a_usual_factor_is_a_near_miss(
    notebook: Notebook, slip: str, code: str
) -> None:
    notebook.run(SQUARE + LOSS + slip)
    match = found(notebook)[slip.split()[0]]
    assert match.verdict.kind == "different"
    assert match.verdict.diagnosis is not None
    assert match.verdict.diagnosis.code == code


def test_a_gradient_under_any_name_that_is_twice_too_large_is_a_near_miss_where_somebody_waits(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook.run(SQUARE + LOSS + "mine = 2 * g.T @ x")
    assert found(notebook) == {}
    monkeypatch.setattr(matches.Matcher, "after_cell", lambda self, names, _: AFTER_CELL(self, names, math.inf))
    notebook.run("mine = 2 * g.T @ x")
    assert found(notebook)["mine"].verdict.kind == "different"


OUTPUTS = {
    "in another order": "order = torch.tensor([2, 1, 0, 3])\na = fc(x)\nb = fc(x[order])",
    "before and after a step": "a = fc(x)\nwith torch.no_grad(): fc.weight.add_(0.1)\nb = fc(x)",
    "of layers that lack the bias of each other": "plain = nn.Linear(3, 3, bias=False)\nplain.weight = fc.weight\n"
    "a = fc(x)\nb = plain(x)",
    "a view of one": "order = torch.tensor([2, 1, 0, 3])\na = fc(x)\nb = fc(x[order]).view(4, 3)",
    "as an array": "order = torch.tensor([2, 1, 0, 3])\na = fc(x)\nb = fc(x[order]).detach().numpy()",
    "a gradient transposed": "a = fc(x)\na.sum().backward()\nb = fc.weight.grad.T",
    "by hand after a step": "a = fc(x)\nwith torch.no_grad(): fc.weight.add_(0.1)\nb = x @ fc.weight.T + fc.bias",
}


@pytest.mark.parametrize("cell", OUTPUTS.values(), ids=OUTPUTS)
def test_what_a_layer_gave_is_no_near_miss_of_another_call(notebook: Notebook, cell: str) -> None:
    notebook.run("x = torch.randn(4, 3)\nfc = nn.Linear(3, 3)\n" + cell)
    assert [name for name, match in found(notebook).items() if match.verdict.kind == "different"] == []


def test_a_training_loop_has_no_near_miss(notebook: Notebook) -> None:
    notebook.run(SQUARE + "opt = torch.optim.SGD(fc.parameters(), lr=0.1)\nt = torch.randn(4, 3)")
    for _ in range(2):
        notebook.run("for _ in range(3):\n    opt.zero_grad(); out = fc(x); F.mse_loss(out, t).backward(); opt.step()")
        assert [name for name, it in found(notebook).items() if it.verdict.kind == "different"] == []


def test_a_large_array_is_neither_copied_nor_read(notebook: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    monkeypatch.setattr(candidates, "side", lambda value, words: read.append(words) or SIDE(value, words))
    notebook.run(SQUARE + "import numpy\nbig = numpy.ones((300, 1000))\nwide = numpy.ones((4, 1000))")
    tracemalloc.start()
    notebook.run("pass")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000
    assert not {"big", "wide"}.intersection(read)


def test_an_array_of_an_outputs_shape_is_read_where_it_lies(notebook: Notebook) -> None:
    notebook.run(SQUARE + "import numpy\na = numpy.random.randn(4, 3).astype('float32')\nb = a[::-1]")
    a, b = notebook.names["a"], notebook.names["b"]
    assert candidates._lent(a).data_ptr() == a.__array_interface__["data"][0]
    assert candidates._lent(b) is b  # which torch can't read


def test_an_array_that_was_changed_in_place_is_looked_at_anew(notebook: Notebook) -> None:
    notebook.run(SQUARE + "a = x.numpy() @ fc.weight.detach().numpy().T + fc.bias.detach().numpy()")
    assert found(notebook)["a"].of == "output"
    notebook.run("a += 1")
    assert found(notebook) == {}
    notebook.run("a -= a\na += x.numpy() @ fc.weight.detach().numpy() + fc.bias.detach().numpy()")
    assert found(notebook)["a"].verdict.kind == "different"


def test_an_array_that_was_there_before_the_layer_ran_is_not_taken_for_a_new_one(notebook: Notebook) -> None:
    notebook.run("x = torch.randn(4, 3)\nfc = nn.Linear(3, 3)\na = (x @ fc.weight.T).detach().numpy()")
    notebook.run("y = fc(x)")
    assert found(notebook) == {}


def test_reading_arrays_counts_as_time_and_what_was_not_read_is_told(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook.run(SQUARE)
    monkeypatch.setattr(matches.Matcher, "after_cell", lambda self, names, seconds: AFTER_CELL(self, names, -1.0))
    monkeypatch.setattr(candidates.zlib, "crc32", None)
    notebook.run("a = x.numpy() + 0")
    assert tensors(notebook).unmatched >= 1


def test_looking_at_an_array_warns_nobody(notebook: Notebook) -> None:
    notebook.run("import numpy\na = numpy.array([numpy.inf, -numpy.inf, 1e308, 1e308])\n" + SQUARE)


def test_a_call_of_much_work_is_left_out_unless_somebody_waits(notebook: Notebook) -> None:
    notebook.run("x = torch.randn(180, 180)\nfc = nn.Linear(180, 180)\ny = fc(x)\nhand = x @ fc.weight.T + fc.bias")
    assert found(notebook) == {}
    assert tensors(notebook).unmatched >= 1


RIGHT = {
    "a product before the bias": "pre = x @ fc.weight.T\nanswer = pre + fc.bias",
    "the same without gradients": "with torch.no_grad():\n    pre = x @ fc.weight.T\n    answer = pre + fc.bias",
    "the output transposed": "answer = x @ fc.weight.T + fc.bias\nr = fc(x).T",
    "the output transposed, alone": "r = y.T",
    "the output transposed, without gradients": "with torch.no_grad():\n    r = y.T",
    "the output transposed and copied": "r = y.T.contiguous()",
    "a wrong attempt beside the right one": "attempt = x @ fc.weight + fc.bias\nanswer = x @ fc.weight.T + fc.bias",
}


@pytest.mark.parametrize("cell", RIGHT.values(), ids=RIGHT)
def test_a_step_on_the_way_to_a_right_answer_is_no_near_miss(notebook: Notebook, cell: str) -> None:
    notebook.run("fc = nn.Linear(3, 3)\nx = torch.randn(3, 3)\ny = fc(x)\n" + cell)
    assert [name for name, match in found(notebook).items() if match.verdict.kind == "different"] == []
    assert ("answer" in cell) == ("answer" in found(notebook))


def test_a_result_of_a_call_that_was_not_kept_is_no_near_miss(notebook: Notebook) -> None:
    notebook.run("fc = nn.Linear(3, 3)\nx = torch.randn(3, 3)\nr = fc(x).T")
    assert found(notebook) == {}


def test_a_product_without_the_bias_alone_is_a_near_miss_until_the_answer_is_made_from_it(notebook: Notebook) -> None:
    notebook.run(SQUARE + "pre = x @ fc.weight.T")
    assert found(notebook)["pre"].verdict.kind == "different"
    notebook.run("answer = pre + fc.bias")
    assert {name: match.verdict.kind == "different" for name, match in found(notebook).items()} == {"answer": False}


def test_a_wrong_answer_stays_a_near_miss_where_the_next_layers_answer_is_made_from_it(notebook: Notebook) -> None:
    notebook.run(SQUARE + "hidden = x @ fc.weight + fc.bias")
    notebook.run("fc2 = nn.Linear(3, 2)\nz = fc2(hidden)\nanswer = hidden @ fc2.weight.T + fc2.bias")
    assert {name: match.verdict.kind == "different" for name, match in found(notebook).items()} == {
        "hidden": True,
        "answer": False,
    }


def test_a_wrong_answer_stays_a_near_miss_where_a_later_one_was_not_made_from_it(notebook: Notebook) -> None:
    notebook.run(SQUARE + "wrong = x @ fc.weight + fc.bias")
    notebook.run("answer = x @ fc.weight.T + fc.bias")
    assert set(found(notebook)) == {"wrong", "answer"}
