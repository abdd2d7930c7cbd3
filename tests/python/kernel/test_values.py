"""Elements as they travel."""

from __future__ import annotations

import math

import pytest
import torch

from torchtwin.kernel.values import MAX_ELEMENTS, MAX_PER_CELL, Allowance, number, numbers


@pytest.mark.parametrize(("value", "sent"), [(math.nan, "nan"), (math.inf, "inf"), (-math.inf, "-inf"), (1.5, 1.5)])
def test_what_json_has_no_number_for_travels_as_a_word(value: float, sent: object) -> None:
    assert number(value) == sent


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_elements_keep_their_exact_value(dtype: torch.dtype) -> None:
    tensor = torch.tensor([[0.1, -2.0], [3e4, 0.0]], dtype=dtype).T
    assert numbers(tensor) == [float(tensor[i, j]) for i in range(2) for j in range(2)]


def test_only_small_tensors_travel() -> None:
    allowance = Allowance()
    assert allowance.numbers(torch.zeros(MAX_ELEMENTS)) == [0.0] * MAX_ELEMENTS
    assert allowance.numbers(torch.zeros(MAX_ELEMENTS + 1)) is None
    assert allowance.numbers(None) is None


def test_the_allowance_of_a_cell_ends_and_is_renewed() -> None:
    allowance = Allowance()
    full, rest = divmod(MAX_PER_CELL, MAX_ELEMENTS)
    for _ in range(full):
        assert allowance.numbers(torch.zeros(MAX_ELEMENTS)) is not None
    assert allowance.numbers(torch.zeros(rest + 1)) is None
    assert allowance.numbers(torch.zeros(rest)) is not None
    allowance.renew()
    assert allowance.numbers(torch.zeros(MAX_ELEMENTS)) is not None
