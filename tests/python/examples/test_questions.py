"""Questions that people asked publicly, each as a notebook: Torchtwin's answer is the one that its text promises."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from itertools import pairwise
from operator import mul
from pathlib import Path
from typing import Any

import msgspec
import nbformat
import pytest
import torch
from torch import Tensor

from torchtwin.protocol import MIME_TYPE, Comparison, Page

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
CODE_CELLS = {
    "square_weight": ["setup", "layer-and-formula", "answer", "mended"],
    "allclose_says_false": ["setup", "layer-and-formula", "answer", "mended"],
    "one_step_of_a_sequence": ["setup", "step-and-sequence", "answer", "other-step", "mended"],
    "gradient_twice_as_large": ["setup", "gradients", "answer", "mended", "other-way"],
    "forgot_the_mean": ["setup", "layer-gradient", "formula-gradient", "answer", "mended"],
    "graded_exercise": ["setup", "given", "attempt", "mended", "grade"],
}
QUESTIONS = [name for name in CODE_CELLS if name != "graded_exercise"]
AGREE = ("identical", "rounding")
"""Which of the two it is may be another machine's choice."""
UNIT = 2.0**-24

RunNotebook = Callable[[str, bool], Any]


@pytest.fixture
def answered(run_notebook: RunNotebook) -> Callable[[str], Any]:
    """Runs a notebook, which loads the extension by itself."""
    return lambda name: run_notebook(name, False)


def source(name: str) -> Any:
    return nbformat.reads((EXAMPLES / f"{name}.ipynb").read_text(encoding="utf-8"), as_version=4)  # type: ignore[no-untyped-call]


def text(name: str) -> str:
    return "\n".join(cell.source for cell in source(name).cells if cell.cell_type == "markdown")


def comparisons(run: Any, cell: str) -> list[Comparison]:
    """What the panel is given of a cell's answers."""
    pages = [output["data"][MIME_TYPE] for output in run.outputs()[cell] if MIME_TYPE in output.get("data", {})]
    events = [envelope.event for page in pages for envelope in msgspec.convert(page, Page).envelopes]
    return [event for event in events if isinstance(event, Comparison)]


def shown(run: Any, cell: str) -> str:
    """The same as a person reads it, on one line: where it is broken is a matter of width."""
    outputs = run.outputs()[cell]
    return " ".join(" ".join(o["data"]["text/plain"] for o in outputs if "data" in o).split())


def errors(run: Any, cell: str) -> list[Any]:
    return [output for output in run.outputs()[cell] if output["output_type"] == "error"]


def without_torchtwin(name: str) -> dict[str, Any]:
    """The names that a notebook's torch leaves behind, run as a plain program without Torchtwin's lines and cells."""
    names: dict[str, Any] = {}
    with torch.random.fork_rng():
        for cell in source(name).cells:
            if cell.cell_type == "code" and "torchtwin." not in cell.source:
                lines = cell.source.splitlines()
                kept = [line for line in lines if not line.startswith("%") and line != "import torchtwin"]
                exec("\n".join(kept), names)
    return names


def layer_exactly(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Of a batch of vectors. In double precision products of float32 are exact, and `fsum` rounds once."""
    rows, columns, offsets = (t.detach().double().tolist() for t in (x, weight, bias))
    outputs = [
        [math.fsum([*map(mul, row, column), b]) for column, b in zip(columns, offsets, strict=True)] for row in rows
    ]
    return torch.tensor(outputs, dtype=torch.float64)


def furthest(actual: Tensor, exact: Tensor, x: Tensor, weight: Tensor, bias: Tensor) -> float:
    """The largest distance in units of one rounding of what was added up."""
    x, weight, bias = (t.detach().double().abs() for t in (x, weight, bias))
    return float(((actual.detach().double() - exact).abs() / (UNIT * (x @ weight.T + bias))).max())


def test_a_square_weight_that_was_not_transposed_is_named_and_mended(answered: Any) -> None:
    run = answered("square_weight")
    assert run.printed("layer-and-formula") == "False\n"
    (wrong,) = comparisons(run, "answer")
    assert (wrong.actual, wrong.expected) == ("by_hand", "output")
    assert (wrong.verdict.kind, wrong.verdict.proof) == ("different", True)
    assert wrong.verdict.diagnosis is not None
    assert wrong.verdict.diagnosis.code == "missing_transpose"
    assert wrong.verdict.diagnosis.also == []
    assert (
        "`by_hand` lacks the transpose: it is `data @ model.weight + model.bias`. "
        "Write `data @ model.weight.T + model.bias`." in shown(run, "answer")
    )
    (mended,) = comparisons(run, "mended")
    assert mended.verdict.kind in AGREE
    assert mended.verdict.proof


def test_the_square_weight_is_what_makes_the_wrong_formula_run_and_its_transpose_is_right() -> None:
    names = without_torchtwin("square_weight")
    data, weight, bias = names["data"], names["model"].weight, names["model"].bias
    exact = layer_exactly(data, weight, bias)
    assert furthest(names["output"], exact, data, weight, bias) <= 5
    assert furthest(names["by_hand"], layer_exactly(data, weight.T, bias), data, weight.T, bias) <= 5
    assert bool(((names["by_hand"] - exact).abs() > 1e-3).all())


def test_allclose_refuses_what_is_only_rounding_and_the_proof_says_so(answered: Any) -> None:
    run = answered("allclose_says_false")
    names = without_torchtwin("allclose_says_false")
    output, by_hand = names["output"], names["by_hand"]
    assert run.printed("layer-and-formula").startswith(f"{torch.allclose(output, by_hand)}\n")
    (answer,) = comparisons(run, "answer")
    assert (answer.actual, answer.expected) == ("by_hand", "output")
    assert answer.verdict.kind == ("identical" if torch.equal(output, by_hand) else "rounding")
    assert (answer.verdict.proof, answer.verdict.coverage, answer.verdict.diagnosis) == (True, "all", None)
    assert answer.verdict.elements == 400 * 300
    assert errors(run, "mended") == run.outputs()["mended"] == []


def test_the_units_and_the_bound_are_those_that_the_text_explains(answered: Any) -> None:
    names = without_torchtwin("allclose_says_false")
    x, w, b = names["x"][0], names["w"], names["b"]
    (answer,) = comparisons(answered("allclose_says_false"), "answer")
    apart = furthest(names["by_hand"][0], names["output"][0].double(), x, w, b)
    assert answer.verdict.units == pytest.approx(apart, rel=1e-6)
    roundings = 200 + 1
    assert answer.verdict.bound == pytest.approx(2 * roundings / (1 - roundings * UNIT))
    assert "2 · 201 = 402 units" in text("allclose_says_false")
    outputs = answered("allclose_says_false").outputs()["answer"]
    assert f"apart: {apart:.2f} units, bound: 402 units\n" in [o["text"] for o in outputs if "text" in o]


def test_one_step_alone_is_that_step_of_the_sequence_but_for_rounding(answered: Any) -> None:
    run = answered("one_step_of_a_sequence")
    (answer,) = comparisons(run, "answer")
    assert answer.verdict.kind in AGREE
    assert (answer.verdict.kind == "identical") == run.printed("step-and-sequence").startswith("True")
    assert (answer.verdict.proof, answer.verdict.elements) == (True, 64)
    (other,) = comparisons(run, "other-step")
    assert (other.verdict.kind, other.verdict.proof) == ("different", True)
    assert errors(run, "mended") == run.outputs()["mended"] == []


def test_both_the_step_and_the_sequence_are_near_the_exact_step() -> None:
    names = without_torchtwin("one_step_of_a_sequence")
    fc, x = names["fc"], names["x"][:, names["t"]]
    exact = layer_exactly(x, fc.weight, fc.bias)
    for ours in (names["step"], names["whole"]):
        assert furthest(ours, exact, x, fc.weight, fc.bias) <= 257


def test_a_gradient_of_two_passes_is_told_as_twice_and_as_accumulated(answered: Any) -> None:
    run = answered("gradient_twice_as_large")
    (twice,) = comparisons(run, "answer")
    assert (twice.actual, twice.expected) == ("w.grad", "fc.weight.grad")
    assert (twice.verdict.kind, twice.verdict.proof) == ("different", True)
    assert twice.verdict.diagnosis is not None
    assert twice.verdict.diagnosis.code == "scaled"
    assert "`w.grad` is 2 times `fc.weight.grad`: 2 backward passes accumulated" in twice.verdict.diagnosis.message
    (mended,) = comparisons(run, "mended")
    assert mended.verdict.kind in AGREE
    assert mended.verdict.proof


def test_a_formulas_single_pass_is_told_from_the_two_that_the_layer_accumulated(answered: Any) -> None:
    (one_pass,) = comparisons(answered("gradient_twice_as_large"), "other-way")
    assert (one_pass.verdict.kind, one_pass.verdict.proof) == ("different", True)
    assert one_pass.verdict.diagnosis is not None
    assert one_pass.verdict.diagnosis.code == "scaled"
    assert one_pass.verdict.diagnosis.message == (
        "`w.grad` is the gradient of one backward pass alone. "
        "Call `zero_grad()` before each backward: `fc.weight.grad` holds 2 passes."
    )


def test_the_gradient_of_a_sum_is_the_sum_of_the_inputs_and_two_passes_print_it_once_and_twice(answered: Any) -> None:
    names = without_torchtwin("gradient_twice_as_large")
    sums = [math.fsum(column) for column in names["x"].T.tolist()]
    expected = torch.tensor([sums, sums])
    assert torch.allclose(names["w"].grad, expected, atol=1e-5)
    assert torch.allclose(names["fc"].weight.grad, 2 * expected, atol=1e-5)
    printed = numbers(answered("gradient_twice_as_large").printed("gradients"))
    assert printed == pytest.approx([*sums, *sums, *(2 * s for s in [*sums, *sums])], abs=2e-4)


def test_a_backward_without_the_mean_is_told_with_the_batch(answered: Any) -> None:
    run = answered("forgot_the_mean")
    (wrong,) = comparisons(run, "answer")
    assert (wrong.verdict.kind, wrong.verdict.proof) == ("different", True)
    assert wrong.verdict.diagnosis is not None
    assert wrong.verdict.diagnosis.code == "scaled"
    assert wrong.verdict.diagnosis.message == (
        "`weight_gradient` is 32 times `fc.weight.grad`: a sum over the batch (32) in place of a mean. Divide by 32."
    )
    weight, bias = comparisons(run, "mended")
    assert (weight.expected, bias.expected) == ("fc.weight.grad", "fc.bias.grad")
    assert weight.verdict.kind in AGREE
    assert bias.verdict.kind in AGREE
    assert weight.verdict.proof
    assert bias.verdict.proof


def test_the_gradient_of_the_mean_worked_out_exactly_is_the_layers_and_a_32nd_of_the_one_by_hand() -> None:
    names = without_torchtwin("forgot_the_mean")
    errors, rows = names["error"].double()[:, 0].tolist(), names["x"].double().tolist()
    exact = [math.fsum(2 * e * row[j] for e, row in zip(errors, rows, strict=True)) / 32 for j in range(3)]
    assert names["fc"].weight.grad[0].tolist() == pytest.approx(exact, rel=1e-4, abs=1e-6)
    assert names["weight_gradient"][0].tolist() == pytest.approx([32 * it for it in exact], rel=1e-4, abs=1e-4)
    assert names["bias_gradient"].tolist() == pytest.approx([2 * math.fsum(errors)], rel=1e-4, abs=1e-4)


def test_a_students_cell_fails_with_the_reason_until_it_is_mended(answered: Any) -> None:
    run = answered("graded_exercise")
    (error,) = errors(run, "attempt")
    assert error.ename == "AssertionError"
    assert "`answer` different: 20 of 20 elements lie outside what rounding can do" in error.evalue
    assert error.evalue.endswith("`answer` lacks the bias: it is `x @ fc.weight.T`. Write `x @ fc.weight.T + fc.bias`.")
    assert errors(run, "mended") == []
    assert run.outputs()["grade"] == []


def test_only_the_students_attempt_is_allowed_to_fail() -> None:
    allowed = {
        (name, cell.id)
        for name in CODE_CELLS
        for cell in source(name).cells
        if "raises-exception" in cell.metadata.get("tags", [])
    }
    assert allowed == {("graded_exercise", "attempt")}


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_answer_in_words_is_the_one_that_is_shown(name: str, answered: Any) -> None:
    (comparison,) = comparisons(answered(name), "answer")
    assert f"`{comparison.verdict.kind}`" in text(name)
    assert comparison.verdict.kind in shown(answered(name), "answer")
    assert "How to read it:" in text(name)
    assert "What to change:" in text(name)


@pytest.mark.parametrize("name", CODE_CELLS)
def test_what_is_not_torchtwins_runs_without_it(name: str) -> None:
    torch_only = [c.source for c in source(name).cells if c.cell_type == "code" and "twin" not in c.source]
    assert torch_only
    assert without_torchtwin(name)["torch"] is torch
    assert "torchtwin" not in without_torchtwin(name)


@pytest.mark.parametrize("name", CODE_CELLS)
def test_it_is_stored_without_outputs_and_with_stable_ids(name: str) -> None:
    code = [cell for cell in source(name).cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    assert [cell.id for cell in code] == CODE_CELLS[name]
    assert code[0].source.startswith("%load_ext torchtwin\nimport torch\n")
    assert "torch.manual_seed(0)" in code[0].source


@pytest.mark.parametrize("name", CODE_CELLS)
def test_it_is_valid_and_short_and_every_step_is_introduced_in_words(name: str) -> None:
    nbformat.validate(source(name))
    assert source(name).nbformat_minor == 5
    assert source(name).metadata == nbformat.read(EXAMPLES / "linear_by_hand.ipynb", as_version=4).metadata  # type: ignore[no-untyped-call]
    kinds = [cell.cell_type for cell in source(name).cells]
    assert 5 <= len(kinds) <= 10
    assert ("code", "code") not in pairwise(kinds)


def numbers(printed: str) -> list[float]:
    return [float(number) for number in re.findall(r"-?\d+\.\d*", printed)]
