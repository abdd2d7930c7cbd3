"""What calls used is remembered as it was, and within bounds."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch

from torchtwin.kernel import past
from torchtwin.kernel.backward import GradOutput
from torchtwin.kernel.past import Past


def held(memory: Past, id: int, input: torch.Tensor, weight: torch.Tensor, copy: bool = True) -> None:
    memory.hold(id, {"input": input, "weight": weight, "bias": None, "output": input @ weight.T}, None, copy)


def brought(value: torch.Tensor, started: torch.Tensor | None = None) -> GradOutput:
    return GradOutput(value, lambda: started, backward=0)


def test_small_operands_are_known_after_every_kind_of_change() -> None:
    memory, x, w = Past(10), torch.ones(1, 2), torch.nn.Parameter(torch.ones(3, 2))
    held(memory, 1, x, w)
    with torch.no_grad():
        w.add_(1)
    w.data.mul_(7)
    x.zero_()
    call = memory.get(1)
    assert call is not None
    used = call.twin()
    assert used is not None
    assert used.evaluate().tolist() == [[2.0, 2.0, 2.0]]


def test_a_weight_changed_behind_its_version_is_copied_anew() -> None:
    memory, x, w = Past(10), torch.ones(1, 2), torch.nn.Parameter(torch.ones(3, 2))
    held(memory, 1, x, w)
    w.data.mul_(7)
    held(memory, 2, x, w)
    first, second = memory.get(1), memory.get(2)
    assert first is not None
    assert second is not None
    assert first.copies["weight"].unique().tolist() == [1.0]
    assert second.copies["weight"].unique().tolist() == [7.0]


def test_an_unchanged_weight_is_copied_once() -> None:
    memory, w = Past(10), torch.nn.Parameter(torch.ones(3, 2))
    held(memory, 1, torch.ones(1, 2), w)
    held(memory, 2, torch.ones(1, 2), w)
    copies = [call.copies["weight"] for call in reversed(memory)]
    assert copies[0] is copies[1]


def test_large_operands_are_known_while_they_live_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past, "MAX_COPIED", 1)
    memory, x, w = Past(10), torch.ones(1, 2), torch.ones(3, 2)
    held(memory, 1, x, w)
    call = memory.get(1)
    assert call is not None
    assert call.twin() is not None
    w.add_(1)
    assert call.twin() is None
    assert call.operand("input") is not None


def test_no_tensor_of_the_users_is_kept_alive() -> None:
    memory, x, w = Past(10), torch.ones(1, 2), torch.ones(3, 2)
    held(memory, 1, x, w)
    memory.hold_pass(1, brought(x), {"weight": w})
    dead = weakref.ref(x), weakref.ref(w)
    del x, w
    gc.collect()
    assert [ref() for ref in dead] == [None, None]


def test_copies_are_bounded_and_the_oldest_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past, "MAX_COPIES", 100)
    memory = Past(1000)
    for id in range(1, 51):
        held(memory, id, torch.ones(1, 2), torch.ones(3, 2))
    known = [call.id for call in reversed(memory) if call.copies]
    copies = {t.data_ptr(): t for call in reversed(memory) for t in call.copies.values()}  # calls may share one
    assert sum(t.numel() for t in copies.values()) <= 100
    assert known == list(range(50, 50 - len(known), -1))
    assert len(known) > 5


def test_what_a_backward_brought_is_kept_beside_its_call() -> None:
    memory, g = Past(10), torch.ones(1, 3)
    held(memory, 1, torch.ones(1, 2), torch.ones(3, 2))
    memory.hold_pass(1, brought(g), {"weight": torch.ones(3, 2)})
    g.zero_()
    call = memory.get(1)
    assert call is not None
    assert call.passes[0].grad_output.tolist() == [[1.0, 1.0, 1.0]]


def test_calls_that_may_not_be_read_are_not() -> None:
    memory = Past(10)
    held(memory, 1, torch.ones(1, 2), torch.ones(3, 2), copy=False)
    call = memory.get(1)
    assert call is not None
    assert call.copies == {}


def test_the_oldest_call_falls_off() -> None:
    memory = Past(2)
    for id in (1, 2, 3):
        held(memory, id, torch.ones(1, 2), torch.ones(3, 2))
    assert [call.id for call in reversed(memory)] == [3, 2]


def test_copies_that_many_calls_share_are_counted_while_one_holds_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past, "MAX_COPIES", 100)
    memory, w = Past(1000), torch.nn.Parameter(torch.ones(10, 2))
    for number in range(1, 51):
        held(memory, number, torch.ones(1, 2), w)
    copies = {id(t): t.numel() for call in reversed(memory) for t in call.copies.values()}
    assert sum(copies.values()) <= 100


def test_of_many_passes_the_newest_are_remembered() -> None:
    memory = Past(10)
    held(memory, 1, torch.ones(1, 2), torch.ones(3, 2))
    for number in range(50):
        memory.hold_pass(1, brought(torch.full((1, 3), float(number))), {})
    call = memory.get(1)
    assert call is not None
    assert [it.grad_output[0, 0].item() for it in call.passes] == list(range(34, 50))


ONES = torch.ones(2, 3)


@pytest.mark.parametrize(
    ("arrived", "started"),
    [
        (ONES, ONES),
        (ONES / 6, torch.tensor(1.0)),
        (-ONES / 6, torch.tensor(1.0)),
        (1024 * ONES / 6, torch.tensor(1024.0)),
        (torch.full((128, 256), 2.0**-15), torch.tensor(1.0)),
    ],
)
def test_a_one_that_was_divided_is_given(arrived: torch.Tensor, started: torch.Tensor) -> None:
    assert is_given(arrived, started)


@pytest.mark.parametrize(
    ("arrived", "started"),
    [
        (ONES, None),
        (torch.rand(2, 3), torch.tensor(1.0)),  # a hook, say
        (0.37 * ONES, torch.tensor(1.0)),
        (0.7 * ONES, 0.7 * ONES),  # a number that the user computed
        (torch.rand(2, 3, generator=torch.Generator().manual_seed(1)), torch.rand(2, 3)),
    ],
)
def test_anything_else_may_have_been_computed(arrived: torch.Tensor, started: torch.Tensor | None) -> None:
    assert not is_given(arrived, started)


def test_a_tensor_that_stood_in_a_variable_before_the_call_is_given_unless_it_was_changed_on_the_way() -> None:
    g = torch.rand(2, 3)
    assert not is_given(g, g)
    assert is_given(g, g, stood_before=True)
    assert not is_given(2 * g, g, stood_before=True)


def is_given(arrived: torch.Tensor, started: torch.Tensor | None, stood_before: bool = False) -> bool:
    memory = Past(10)
    if stood_before and started is not None:
        memory.cell_ended({"g": started})
        memory.stretch += 1
    held(memory, 1, torch.ones(2, 2), torch.ones(3, 2))
    memory.hold_pass(1, brought(arrived, started), {})
    call = memory.get(1)
    assert call is not None
    return call.passes[0].is_given


def test_what_arrives_of_a_backward_too_large_to_be_held_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past, "MAX_COPIED", 10)
    memory = Past(10)
    held(memory, 1, torch.ones(1, 2), torch.ones(3, 2))
    memory.hold_pass(1, brought(torch.ones(4, 3)), {"weight": torch.ones(3, 2)})
    call = memory.get(1)
    assert call is not None
    assert (call.arriving, call.passes) == ({}, [])
