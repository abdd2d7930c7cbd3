"""The exercise gives the numbers that a person gets on paper, and the same characters when it is watched."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import nbformat
import pytest

NOTEBOOK = Path(__file__).resolve().parents[3] / "examples" / "linear_by_hand.ipynb"
RunNotebook = Callable[[str, bool], Any]

X = [10, 20]
W = [[11, 12], [21, 22], [31, 32]]
B = [31, 32, 33]
OUT = [sum(x * w for x, w in zip(X, row, strict=True)) + b for row, b in zip(W, B, strict=True)]


def source() -> Any:
    return nbformat.reads(NOTEBOOK.read_text(encoding="utf-8"), as_version=4)  # type: ignore[no-untyped-call]


def code() -> str:
    return "\n".join(cell.source for cell in source().cells if cell.cell_type == "code")


def tensors(text: str) -> list[list[float]]:
    """The numbers of each tensor printed in `text`, flattened."""
    bodies = re.findall(r"tensor\((.*?)\)", text, re.DOTALL)
    return [[float(number) for number in re.findall(r"-?\d+\.", body)] for body in bodies]


@pytest.fixture
def plain(run_notebook: RunNotebook) -> Any:
    return run_notebook("linear_by_hand", False)


@pytest.fixture
def watched(run_notebook: RunNotebook) -> Any:
    return run_notebook("linear_by_hand", True)


def test_shapes_are_printed_before_the_layer_runs(plain: Any) -> None:
    assert plain.printed("layer") == "torch.Size([1, 2]) torch.Size([3, 2]) torch.Size([2, 3]) torch.Size([1, 3])\n"


def test_the_product_by_hand_has_the_shape_of_the_output_and_all_three_agree(plain: Any) -> None:
    assert plain.printed("by-hand") == "torch.Size([1, 3])\ntensor([[True, True, True]])\n"


def test_the_sum_is_2046(plain: Any) -> None:
    assert sum(OUT) == 2046
    assert tensors(plain.printed("layer-gradients")) == [[sum(OUT)]]


def test_each_row_of_the_weight_gradient_is_the_input_and_the_bias_gradient_is_ones(plain: Any) -> None:
    by_weight, by_bias = X * len(W), [1] * len(B)
    assert tensors(plain.printed("formula-gradients")) == [by_weight, by_weight, by_bias, by_bias]


def test_the_output_told_on_paper_is_the_one_in_the_text() -> None:
    text = "\n".join(cell.source for cell in source().cells if cell.cell_type == "markdown")
    assert f"10·11 + 20·12 + 31 = {OUT[0]}" in text
    assert f"{OUT[0]} + {OUT[1]} + {OUT[2]} = 2046" in text


def test_watching_changes_no_character_of_any_output(plain: Any, watched: Any) -> None:
    assert json.dumps(watched.outputs(), sort_keys=True) == json.dumps(plain.outputs(), sort_keys=True)
    assert watched.prompts() == plain.prompts() == [1, 2, 3, 4, 5]


def test_the_watch_was_on_and_saw_the_layer_agree(watched: Any) -> None:
    assert watched.loaded == "None"
    [call] = watched.records
    assert (call["name"], call["expression"]) == ("fc", "x @ w.T + b")
    assert (call["site"]["execution_count"], call["site"]["line"], call["site"]["source"]) == (2, 9, "fc_out = fc(x)")
    kinds = [call["forward"]["kind"], call["gradients"]["weight"]["kind"], call["gradients"]["bias"]["kind"]]
    assert kinds == ["identical"] * 3


def test_the_notebook_never_mentions_torchtwin_in_code() -> None:
    assert "torchtwin" not in code()
    assert "%" not in code()


def test_the_notebook_is_stored_without_outputs_and_with_stable_ids() -> None:
    cells = source().cells
    assert all(not cell.outputs and cell.execution_count is None for cell in cells if cell.cell_type == "code")
    assert [cell.id for cell in cells if cell.cell_type == "code"] == [
        "import-torch",
        "layer",
        "by-hand",
        "layer-gradients",
        "formula-gradients",
    ]


def test_the_notebook_is_valid_and_every_step_is_introduced_in_words() -> None:
    nbformat.validate(source())
    kinds = [cell.cell_type for cell in source().cells]
    assert ("code", "code") not in pairwise(kinds)
