"""Tensors of every kind in a few numbers, or the reason why not; of large ones never a copy of the whole."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from torchtwin.kernel.paused.statistics import MAX_LOOKED_AT, evenly_spread, statistics, unreadable, waits
from torchtwin.protocol.paused import Statistics


def read(tensor: Tensor) -> Statistics:
    assert unreadable(tensor) is None
    found = statistics(tensor)
    assert found is not None
    return found


def test_of_floats_least_most_and_mean() -> None:
    assert read(torch.tensor([[1.0, -2.0], [4.0, 5.0]])) == Statistics(-2.0, 5.0, 2.0, 0, 0, 4, 4)


def test_nan_is_counted_and_left_out() -> None:
    assert read(torch.tensor([1.0, math.nan, 3.0])) == Statistics(1.0, 3.0, 2.0, 1, 0, 3, 3)


def test_infinities_travel_as_words() -> None:
    found = read(torch.tensor([1.0, -math.inf, math.inf]))
    assert (found.min, found.max, found.mean, found.infs) == ("-inf", "inf", "nan", 2)


@pytest.mark.parametrize("tensor", [torch.zeros(0, 3), torch.tensor([math.nan])])
def test_without_a_number_there_is_no_least(tensor: Tensor) -> None:
    found = read(tensor)
    assert (found.min, found.max, found.mean, found.nans) == (None, None, None, tensor.numel())


@pytest.mark.parametrize(
    "dtype",
    [torch.int64, torch.uint8, torch.uint16, torch.int8, torch.float16, torch.bfloat16, torch.float64,
     torch.float8_e4m3fn, torch.float8_e5m2],
)  # fmt: skip
def test_every_dtype_with_arithmetic_is_read(dtype: torch.dtype) -> None:
    assert read(torch.tensor([1.0, 3.0]).to(dtype)) == Statistics(1.0, 3.0, 2.0, 0, 0, 2, 2)


def test_of_booleans_the_mean_is_the_share() -> None:
    assert read(torch.tensor([True, False, False, False])).mean == 0.25


def test_complex_numbers_have_no_order() -> None:
    assert read(torch.tensor([1j, complex(math.nan, 0)])) == Statistics(None, None, None, 1, 0, 2, 2)


def test_views_of_every_kind_are_read() -> None:
    base = torch.arange(12.0).reshape(3, 4)
    for view, total in ((base.T, 66.0), (base[:, ::2], 30.0), (base[0].expand(5, 4), 30.0), (base[1, 1], 5.0)):
        assert read(view).mean == total / view.numel()
    assert read(torch.tensor([1 + 1j]).conj().imag).min == -1.0


def nested(**options: Any) -> Tensor:
    return torch.nested.nested_tensor([torch.ones(2, 3), torch.ones(4, 3)], **options)


class Own(Tensor):
    pass


def freed() -> Tensor:
    tensor = torch.ones(5)
    tensor.untyped_storage().resize_(0)
    return tensor


@pytest.mark.parametrize(
    ("tensor", "why"),
    [
        (torch.empty(3, device="meta"), "it holds no values"),
        (torch.eye(3).to_sparse(), "its layout is sparse_coo"),
        (torch.ones(3).as_subclass(Own), "it is a Own, which handles itself"),
        (freed(), "its memory has been freed"),
    ],
)
def test_what_can_not_be_read_says_why(tensor: Tensor, why: str) -> None:
    assert unreadable(tensor) == why


@pytest.mark.filterwarnings("ignore:.*nested tensors")
@pytest.mark.parametrize("layout", [torch.strided, torch.jagged])
def test_a_nested_tensor_is_not_read(layout: torch.layout) -> None:
    assert unreadable(nested(layout=layout)) == "it is nested"


def test_a_stand_in_of_a_transform_is_not_read() -> None:
    seen: list[str | None] = []
    torch.vmap(lambda x: (seen.append(unreadable(x)), x)[1])(torch.ones(2, 3))
    assert seen == ["it stands for another tensor within a transform"]


@pytest.mark.parametrize("shape", [(10**9,), (3, 10**8), (10**5, 10**4), (10**9, 1), (2,) * 28])
def test_of_a_large_tensor_some_elements_are_looked_at_and_nothing_is_copied(shape: tuple[int, ...]) -> None:
    large = torch.zeros(1).expand(shape) if len(shape) < 20 else torch.zeros(1).as_strided(shape, (0,) * len(shape))
    some = evenly_spread(large)
    assert MAX_LOOKED_AT / 4 < some.numel() <= MAX_LOOKED_AT
    assert some.data_ptr() == large.data_ptr()
    found = read(large)
    assert (found.looked_at, found.elements) == (some.numel(), large.numel())


def test_a_large_tensor_is_looked_at_from_end_to_end() -> None:
    some = evenly_spread(torch.arange(10**6))
    assert some[0] == 0
    assert some[-1] > 10**6 - 8


def test_a_small_tensor_is_looked_at_whole() -> None:
    assert evenly_spread(torch.ones(512, 512)).shape == (512, 512)


def test_the_processor_keeps_nobody_waiting() -> None:
    assert waits(torch.ones(1)) is None


def test_a_device_at_work_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    class Away:
        device = torch.device("mps:0")

    assert waits(Away()) == "mps:0 is at work: to read it would wait for that"  # type: ignore[arg-type]
    Away.device = torch.device("cuda:0")
    busy = [True]
    monkeypatch.setattr("torchtwin.kernel.paused.statistics._is_idle", lambda device: not busy[0])
    assert waits(Away()) is not None  # type: ignore[arg-type]
    busy[0] = False
    assert waits(Away()) is None  # type: ignore[arg-type]
