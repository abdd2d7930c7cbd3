"""A frame's tensors: locals first, what hides what, and no code of the user's run."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from torchtwin.kernel.paused import tensors as module
from torchtwin.kernel.paused.tensors import tensors


def names(*spaces: dict[str, Any]) -> list[tuple[str, str]]:
    return [(row.name, row.scope) for row in tensors(spaces)[0]]


def test_locals_come_first_and_hide_globals() -> None:
    outer = {"a": torch.ones(1), "b": torch.ones(2), "c": torch.ones(3)}
    inner = {"z": torch.ones(1), "b": 5, "c": torch.ones(4)}
    assert names(inner, outer) == [("z", "local"), ("c", "local"), ("a", "global")]


def test_a_name_that_nobody_can_write_is_none() -> None:
    assert names({".0": torch.ones(1), "_1": torch.ones(1), "@py": torch.ones(1), "x": torch.ones(1)}) == [
        ("x", "global")
    ]


def test_a_row_tells_what_the_tensor_is() -> None:
    p = nn.Parameter(torch.ones(2, 3))
    (row,), left_out = tensors([{"p": p}])
    assert (row.shape, row.dtype, row.device, row.requires_grad, row.has_grad) == (
        [2, 3],
        "float32",
        "cpu",
        True,
        False,
    )
    assert left_out == 0
    p.sum().backward()
    assert tensors([{"p": p}])[0][0].has_grad


def test_a_tensor_that_is_no_leaf_is_asked_for_no_gradient() -> None:
    y = nn.Parameter(torch.ones(2)) * 2
    assert not tensors([{"y": y}])[0][0].has_grad  # a warning would be an error here


def test_more_than_are_listed_are_counted() -> None:
    many = {f"t{at}": torch.ones(1) for at in range(module.MAX_ROWS + 7)}
    rows, left_out = tensors([many])
    assert (len(rows), left_out) == (module.MAX_ROWS, 7)


def test_when_the_time_is_over_shapes_are_told_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SECONDS", -1.0)
    (row,), _ = tensors([{"x": torch.ones(2)}])
    assert (row.shape, row.statistics, row.unread) == ([2], None, "there was no time left to read it")


ran: list[str] = []


class Property(Tensor):
    @property
    def shape(self) -> Any:  # type: ignore[override]
        ran.append("shape")
        return torch.Size([1])


class Function(Tensor):
    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        ran.append(str(func))
        return super().__torch_function__(func, types, args, kwargs or {})


class Shows(Tensor):
    def __repr__(self, *, tensor_contents: Any = None) -> str:
        ran.append("repr")
        return ""


class Proxy:
    @property
    def __class__(self) -> Any:
        ran.append("class")
        return Tensor

    def __getattr__(self, name: str) -> Any:
        ran.append(name)
        return 1


def test_no_code_of_the_users_runs() -> None:
    own = {"p": torch.ones(2).as_subclass(Property), "f": torch.ones(2).as_subclass(Function)}
    own |= {"s": torch.ones(2).as_subclass(Shows)}
    ran.clear()
    found = names({**own, "proxy": Proxy()})
    assert ran == []
    assert found == [("f", "global"), ("s", "global")]  # whose very shape is a property is not listed


def test_a_lazy_parameter_has_no_shape_yet() -> None:
    assert names({"w": nn.LazyLinear(2).weight}) == []


def test_a_dtype_without_arithmetic_says_so() -> None:
    bits = torch.ones(2, dtype=torch.uint8).view(torch.bits8)
    (row,), _ = tensors([{"bits": bits}])
    assert (row.statistics, row.unread) == (None, "torch has no arithmetic for bits8")
