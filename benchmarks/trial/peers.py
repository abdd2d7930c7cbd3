"""What torch's own comparisons say of a pair, with their defaults."""

from __future__ import annotations

import torch
from torch import Tensor

NAMES = ("torch.equal", "torch.allclose", "assert_close")


def verdicts(actual: Tensor, expected: object) -> tuple[bool, bool, bool]:
    """For each of `NAMES`, whether it takes the two for the same."""
    other = expected if isinstance(expected, Tensor) else torch.as_tensor(expected)
    return _equal(actual, other), _allclose(actual, other), _assert_close(actual, other)


def _equal(actual: Tensor, expected: Tensor) -> bool:
    return actual.shape == expected.shape and torch.equal(actual, expected)


def _allclose(actual: Tensor, expected: Tensor) -> bool:
    try:
        return bool(torch.allclose(actual, expected))
    except RuntimeError:
        return False


def _assert_close(actual: Tensor, expected: Tensor) -> bool:
    try:
        torch.testing.assert_close(actual, expected)
    except AssertionError:
        return False
    return True
