"""What can be compared becomes a tensor without being touched; what can't is named in the user's words."""

from __future__ import annotations

import warnings
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from torchtwin.kernel.comparing.sides import Side, side

F32 = torch.tensor([[1.0, 2.0], [3.0, 4.0]])


class Tagged(Tensor):
    """A subclass of somebody's."""


def _uninitialised() -> Tensor:
    return torch.nn.UninitializedParameter()


def _nested() -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.nested.nested_tensor([torch.ones(1), torch.ones(2)])


def _quantised() -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.quantize_per_tensor(F32, 0.1, 0, torch.quint8)


def _csr() -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return F32.to_sparse_csr()


@pytest.mark.parametrize(
    ("value", "words", "reason"),
    [
        (None, "hand", "`hand` is None"),
        (object(), "object()", "`object()` is an object, which holds no numbers"),
        (Fraction(1, 3), "third", "`third` is a fractions.Fraction, which holds no numbers"),
        (None, "w.grad", "`w.grad` is None: no backward has reached it since it was made or zeroed"),
        ("abc", "hand", "`hand` is a str, which holds no numbers"),
        ({"a": 1}, "hand", "`hand` is a dict, which holds no numbers"),
        (2**63, "hand", "`hand` is larger than any integer of torch's"),
        ([[1.0], [1.0, 2.0]], "hand", "`hand` is a list, but not of numbers in rows of one length"),
        ([1.0, None], "hand", "`hand` is a list, but not of numbers in rows of one length"),
        (["a"], "hand", "`hand` is a list, but not of numbers in rows of one length"),
        ([10**400], "hand", "`hand` is a list, but not of numbers in rows of one length"),
        ([torch.ones(1), torch.ones(2)], "hand", "`hand` is a list, but not of numbers in rows of one length"),
        (np.array([1, "a"], dtype=object), "a", "`a` is a numpy.ndarray of object, unknown to torch"),
        (np.array(["1"]), "a", "`a` is a numpy.ndarray of <U1, unknown to torch"),
        (np.ones(2, np.longdouble), "a", f"`a` is a numpy.ndarray of {np.dtype(np.longdouble)}, unknown to torch"),
        (np.ma.array([1.0], mask=[1]), "a", "`a` is a numpy.ma.MaskedArray, which holds no numbers"),
        (F32.to("meta"), "hand", "`hand` is on the meta device and holds no values"),
        (F32.to_sparse(), "hand", "`hand` has the layout sparse_coo; compare `hand.to_dense()`"),
        (_csr(), "hand", "`hand` has the layout sparse_csr; compare `hand.to_dense()`"),
        (_quantised(), "hand", "`hand` is quantised; compare `hand.dequantize()`"),
        (_nested(), "hand", "`hand` is a nested tensor; compare its parts, `hand.unbind()`"),
        (F32.as_subclass(Tagged), "h", "`h` is a Tagged, a tensor subclass; compare `h.as_subclass(torch.Tensor)`"),
        (F32.to_sparse(), "a + b", "`a + b` has the layout sparse_coo; compare `(a + b).to_dense()`"),
        (
            F32.to_sparse(),
            "that of `w`",
            "that of `w` has the layout sparse_coo; compare its `.to_dense()`",
        ),
        (None, "the gradient of `w`", "the gradient of `w` is None"),
    ],
)
def test_what_holds_no_values_is_told_in_the_users_words(value: Any, words: str, reason: str) -> None:
    assert side(value, words) == reason


def test_an_uninitialised_parameter_is_told_and_not_asked_for_its_shape() -> None:
    assert str(side(_uninitialised(), "w")).startswith("`w` is an UninitializedParameter")


def test_a_tensor_inside_a_transform_has_no_values() -> None:
    told: list[object] = []

    def look(x: Tensor) -> Tensor:
        told.append(side(x, "x"))
        return x

    torch.func.vmap(look)(F32)
    torch.func.grad(lambda x: look(x).sum())(F32)
    assert told == ["`x` is inside a torch.func transform, where it has no values of its own"] * 2


@pytest.mark.parametrize(
    ("value", "expected", "dtype"),
    [
        (F32, F32, torch.float32),
        (torch.nn.Parameter(F32), F32, torch.float32),
        (np.array([1.0, 2.0]), torch.tensor([1.0, 2.0]), torch.float64),
        (np.array([1.0, 2.0], ">f4"), torch.tensor([1.0, 2.0]), torch.float32),
        (np.arange(3.0)[::-1], torch.tensor([2.0, 1.0, 0.0]), torch.float64),
        (np.float32(1.5), torch.tensor(1.5), torch.float32),
        (np.array(7), torch.tensor(7), torch.int64),
        (3.5, torch.tensor(3.5), torch.float64),
        (3, torch.tensor(3), torch.int64),
        (True, torch.tensor(True), torch.bool),
        ([[1, 2], [3, 4]], F32, torch.float64),
        ((1.0, 2), torch.tensor([1.0, 2.0]), torch.float64),
        ([], torch.zeros(0), torch.float64),
        ([1 + 2j, 1], torch.tensor([1 + 2j, 1]), torch.complex128),
        ([F32[0], F32[1]], F32, torch.float32),
        ([np.array([1.0, 2.0]), [3.0, 4.0]], F32, torch.float64),
        ((1 + 2 * torch.ones(2, dtype=torch.complex64) * 1j).conj(), torch.tensor([1 - 2j, 1 - 2j]), torch.complex64),
        ((1 + 2 * torch.ones(2, dtype=torch.complex64) * 1j).conj().imag, torch.tensor([-2.0, -2.0]), torch.float32),
    ],
)
def test_numbers_of_any_kind_become_a_tensor(value: Any, expected: Tensor, dtype: torch.dtype) -> None:
    made = side(value, "hand")
    assert isinstance(made, Side)
    assert made.value.dtype == dtype
    assert torch.equal(made.value, expected.to(dtype))
    assert [made.value.requires_grad, made.value.is_conj(), made.value.is_neg()] == [False] * 3


def test_tensors_within_nested_lists_warn_nobody() -> None:
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    made = side([[w[0], w[1]], [w[1], 3.0]], "hand")
    assert isinstance(made, Side)
    assert made.value.tolist() == [[1.0, 2.0], [2.0, 3.0]]


def test_an_array_is_copied_and_a_tensor_is_not() -> None:
    array = np.array([1.0, 2.0])
    array.flags.writeable = False
    made = side(array, "a")
    assert isinstance(made, Side)
    made.value.zero_()
    assert array.tolist() == [1.0, 2.0]
    other = side(F32, "t")
    assert isinstance(other, Side)
    assert other.original is F32
    assert other.value.data_ptr() == F32.data_ptr()


def test_words_that_hold_code_are_not_quoted_again() -> None:
    assert Side("x", F32, F32).name == "`x`"
    assert Side("the gradient of `x`", F32, F32).name == "the gradient of `x`"
