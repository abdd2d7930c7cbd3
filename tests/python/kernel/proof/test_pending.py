"""What is queued on a device: nothing is read before the verdict is asked for, which is that of a check at once."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from torchtwin.kernel.causes.hypotheses import LinearNames
from torchtwin.kernel.check import check_output, check_product, check_sum, queue_output, queue_product, queue_sum
from torchtwin.kernel.proof import pending
from torchtwin.kernel.proof.pending import Pending
from torchtwin.kernel.proof.probe import concluded
from torchtwin.kernel.twin import twin
from torchtwin.protocol import Verdict

NAMES = LinearNames("x", "w", "b", "x @ w.T + b", set())
READS = {"_local_scalar_dense", "nonzero", "equal", "is_nonzero", "item", "unique_dim", "_unique2", "masked_select"}


class NothingIsRead(TorchDispatchMode):
    """Fails on every operation whose result, or whose shape, the host would have to wait for."""

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = function.overloadpacket.__name__
        assert name not in READS, name
        assert name != "_to_copy" or (kwargs or {}).get("device") is None, name
        if name in ("index", "index_put"):
            assert all(it is None or it.dtype not in (torch.bool, torch.uint8) for it in args[1]), name
        return function(*args, **(kwargs or {}))


@contextlib.contextmanager
def nothing_is_read() -> Iterator[None]:
    def refuse(*_: object) -> None:
        raise AssertionError("a number was read")

    with pytest.MonkeyPatch.context() as patch, NothingIsRead():
        for name in ("item", "tolist", "__bool__", "__float__", "__int__", "cpu", "numpy"):
            patch.setattr(torch.Tensor, name, refuse)
        yield


def operands(rows: int, terms: int, columns: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, ...]:
    draw = torch.Generator().manual_seed(0)
    shapes = ((rows, terms), (columns, terms), (columns,))
    x, w, b = (torch.randn(shape, generator=draw, dtype=torch.float64).to(dtype) for shape in shapes)
    return x, w, b, torch.nn.functional.linear(x, w, b)


def later(asked: Pending | Verdict) -> Verdict:
    assert isinstance(asked, Pending)
    assert asked.ready()
    return asked.verdict()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("sizes", [(3, 5, 7), (512, 256, 128)])
def test_an_output_is_checked_without_reading_a_number(sizes: tuple[int, int, int], dtype: torch.dtype) -> None:
    x, w, b, y = operands(*sizes, dtype)
    with nothing_is_read():
        asked = queue_output(twin(x, w, b, y), y, NAMES)
    verdict = later(asked)
    found, _ = check_output(twin(x, w, b, y), y, NAMES)
    at_once = found if isinstance(found, Verdict) else concluded([found])[0]
    assert (verdict.coverage, verdict.proof) == (at_once.coverage, True)
    if verdict.coverage == "all":
        assert verdict == at_once
    else:
        assert verdict.kind in ("identical", "rounding")


@pytest.mark.parametrize("sizes", [(3, 5, 7), (512, 256, 128)])
def test_gradients_are_checked_without_reading_a_number(
    sizes: tuple[int, int, int],
) -> None:
    x, w, _, g = operands(*sizes)
    by_weight, by_input, by_bias = g.T @ x, g @ w, g.sum(0)
    with nothing_is_read():
        asked = [
            queue_product(by_weight, g.T, x.T),
            queue_product(by_input, g, w.T),
            queue_sum(by_bias, g, by_bias.shape),
        ]
    verdicts = [later(it) for it in asked]
    assert {it.kind for it in verdicts} <= {"identical", "rounding"}
    assert verdicts[2] == check_sum(by_bias, g, by_bias.shape)[0]
    if sizes[0] == 3:
        assert verdicts[0] == check_product(by_weight, g.T, x.T)[0]


@pytest.mark.parametrize("sizes", [(3, 5, 7), (512, 256, 128)])
@pytest.mark.parametrize("wrong", [1.0, float("nan"), float("inf")])
def test_a_wrong_element_is_found_when_the_verdict_is_read(sizes: tuple[int, int, int], wrong: float) -> None:
    x, w, b, y = operands(*sizes)
    y[2, 3] += wrong
    asked = queue_output(twin(x, w, b, y), y, NAMES)
    assert isinstance(asked, Pending)
    verdict = asked.verdict()
    assert (verdict.kind, verdict.outside) == ("different", [2 * sizes[2] + 3])


def test_where_an_operand_was_changed_since_nothing_is_said_of_what_lies_outside() -> None:
    x, w, b, y = operands(3, 5, 7)
    y[2, 3] += 1.0
    asked = queue_output(twin(x, w, b, y), y, NAMES)
    assert isinstance(asked, Pending)
    x += 1
    verdict = asked.verdict()
    assert verdict.kind == "unchecked"
    assert "an operand was changed in place since" in verdict.message


def test_an_operand_that_is_changed_after_a_right_call_changes_no_verdict() -> None:
    x, w, b, y = operands(3, 5, 7)
    asked = queue_output(twin(x, w, b, y), y, NAMES)
    assert isinstance(asked, Pending)
    x += 1
    assert asked.verdict().kind in ("identical", "rounding")


@pytest.mark.parametrize("sizes", [(3, 5, 7), (512, 256, 128)])
def test_no_operand_is_held_once_the_verdict_was_read_or_given_up(sizes: tuple[int, int, int]) -> None:
    for end in (Pending.verdict, Pending.drop):
        x, w, b, y = operands(*sizes)
        asked = queue_output(twin(x, w, b, y), y, NAMES)
        assert isinstance(asked, Pending)
        memory = weakref.ref(y.untyped_storage())
        end(asked)
        del x, w, b, y
        assert memory() is None
    assert pending._held._elements == 0


def test_of_too_many_operands_none_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending, "MAX_HELD", 10)
    x, w, b, y = operands(3, 5, 7)
    y[2, 3] += 1.0
    asked = queue_output(twin(x, w, b, y), y, NAMES)
    assert isinstance(asked, Pending)
    verdict = asked.verdict()
    assert verdict.kind == "unchecked"
    assert "too many operands wait" in verdict.message


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("sizes", [(3, 5, 7), (512, 256, 128)])
def test_on_a_cuda_device_nothing_waits(sizes: tuple[int, int, int]) -> None:
    x, w, b, _ = (it.cuda() for it in operands(*sizes))
    y = torch.nn.functional.linear(x, w, b)
    torch.cuda.set_sync_debug_mode("error")
    try:
        asked = [queue_output(twin(x, w, b, y), y, NAMES), queue_product(y.T @ x, y.T, x.T)]
    finally:
        torch.cuda.set_sync_debug_mode("default")
    for it in asked:
        assert isinstance(it, Pending)
        assert it.verdict().kind in ("identical", "rounding")
