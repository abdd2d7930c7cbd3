"""Words that name data, and words that compute something."""

from __future__ import annotations

import pytest

from torchtwin.kernel.comparing.data import is_name_of_data


@pytest.mark.parametrize(
    "words",
    [
        "x",
        "batch.x",
        'batch["x"][:8]',
        "x[..., 3:].T",
        "x.view(-1, 4).float()",
        "x.detach().to(device)",
        "torch.tensor([[1.0, 2.0]])",
        "torch.from_numpy(array)",
        "x.view(...)",
    ],
)
def test_a_name_a_part_and_another_view_of_data_are_data(words: str) -> None:
    assert is_name_of_data(words)


@pytest.mark.parametrize(
    "words",
    [
        "x - mean",
        "f(x)",
        "between(...)",
        "ln(x).view(-1)",
        "x.relu()",
        "-x",
        "x @ A",
        "torch.randn(3, 4)",
        "x if y else z",
        "torch.tensor(x - mean)",
        "x[order(x)]",
        "(x",
    ],
)
def test_what_computes_something_is_not(words: str) -> None:
    assert not is_name_of_data(words)
