"""No tensor outlives its check: once the user has dropped it, it is gone, by reference counts alone."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import torchtwin

References = list["weakref.ref[Any]"]
Program = Callable[[int], References]

SIZES = pytest.mark.parametrize("size", [4, 300], ids=["small", "large"])
"""Small operands are copied. Of large ones no copy is made, and the product is only probed."""


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


def refer(*objects: object) -> References:
    """To objects, and to the memory of tensors, which another tensor may hold."""
    memory = [it.untyped_storage() for it in objects if isinstance(it, Tensor)]
    return [weakref.ref(it) for it in (*objects, *memory)]


def model(size: int) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(size, size), nn.ReLU(inplace=True), nn.Linear(size, size))


def batch(size: int) -> Tensor:
    return torch.randn(size, size, requires_grad=True)


def training_step(size: int) -> References:
    net, x = model(size), batch(size)
    optimizer = torch.optim.AdamW(net.parameters())
    hidden = net[0](x)
    out = net[2](hidden)
    loss = out.pow(2).mean()
    loss.backward()
    optimizer.step()
    gradients = [it.grad for it in (*net.parameters(), x)]
    return refer(net, *net.parameters(), x, hidden, out, loss, *gradients)


def without_gradients(size: int) -> References:
    net, x = model(size), batch(size)
    with torch.no_grad():
        hidden = net[0](x)
        out = net[2](hidden)
    return refer(net, *net.parameters(), x, hidden, out)


def inference(size: int) -> References:
    net = model(size)
    with torch.inference_mode():
        x = torch.randn(size, size)
        out = net(x)
    return refer(net, x, out)


def failed(size: int) -> References:
    net, x = model(size), torch.randn(size, size + 1)
    references = refer(net, *net.parameters(), x)
    try:
        net(x)
    except RuntimeError:
        return references
    raise AssertionError("the shapes do not fit")


def backward_never_ran(size: int) -> References:
    net, x = model(size), batch(size)
    h = x * 2
    out = net(h)
    return refer(net, *net.parameters(), x, h, out)


def backward_failed(size: int) -> References:
    net, x = model(size), batch(size)
    h = x * 2
    out = net(h)
    h.data.copy_(x.data)
    h += 1
    references = refer(net, *net.parameters(), x, h, out)
    try:
        out.sum().backward()
    except RuntimeError:
        return references
    raise AssertionError("torch forbids this backward")


def several_backwards(size: int) -> References:
    net, x = model(size), batch(size)
    out = net(x)
    out.sum().backward(retain_graph=True)
    first = [it.grad for it in net.parameters()]
    net.zero_grad()
    out.sum().backward()
    return refer(net, x, out, *first, *[it.grad for it in net.parameters()])


def double_backward(size: int) -> References:
    net, x = nn.Linear(size, size), batch(size)
    h = x * 2
    out = net(h)
    (gradient,) = torch.autograd.grad(out.pow(2).sum(), h, create_graph=True)
    torch.autograd.grad(gradient.pow(2).sum(), list(net.parameters()))
    return refer(net, *net.parameters(), x, h, out, gradient)


def tied(size: int) -> References:
    net, x = nn.Linear(size, size), batch(size)
    hidden = [x]
    for _ in range(3):
        hidden.append(torch.tanh(net(hidden[-1])))
    hidden[-1].sum().backward()
    return refer(net, *net.parameters(), *hidden, *[it.grad for it in net.parameters()])


def checkpointed(size: int) -> References:
    net, x = model(size), batch(size)
    out = checkpoint(net, x, use_reentrant=False)
    out.sum().backward()
    return refer(net, *net.parameters(), x, out, x.grad)


def autocast(size: int) -> References:
    net, x = model(size), batch(size)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = net(x)
    out.float().sum().backward()
    return refer(net, *net.parameters(), x, out, x.grad)


def in_another_thread(size: int) -> References:
    references: References = []
    thread = threading.Thread(target=lambda: references.extend(training_step(size)))
    thread.start()
    thread.join()
    return references


PROGRAMS: list[Program] = [
    training_step,
    without_gradients,
    inference,
    failed,
    backward_never_ran,
    backward_failed,
    several_backwards,
    double_backward,
    tied,
    checkpointed,
    autocast,
    in_another_thread,
]


@SIZES
@pytest.mark.parametrize("program", PROGRAMS)
def test_nothing_is_held_after_a_function_has_returned(
    watching: Callable[[], AbstractContextManager[object]], program: Program, size: int
) -> None:
    program(size)  # what torch sets up once
    with watching():
        references = program(size)
        assert torchtwin.records()
        assert [it() for it in references] == [None] * len(references)


@SIZES
def test_what_a_function_drops_is_gone_while_it_still_runs(
    watching: Callable[[], AbstractContextManager[object]], size: int
) -> None:
    """To read a frame's local variables is to make a snapshot of them, in older Pythons."""

    def function() -> int:
        net, x = model(size), batch(size)
        closed_over = x * 2
        out = net((lambda: closed_over)())  # noqa: F821, which finds it deleted below
        references = refer(out, closed_over)
        out.sum().backward()
        references += refer(x.grad)
        del out, closed_over
        x.grad = None
        alive = sum(it() is not None for it in references)
        references = refer(x, net)
        del x, net
        return alive + sum(it() is not None for it in references)

    with watching():
        assert function() == 0


@SIZES
def test_what_a_loop_replaces_is_gone_in_the_next_round(
    watching: Callable[[], AbstractContextManager[object]], size: int
) -> None:
    def rounds() -> Iterator[int]:
        net = model(size)
        references: References = []
        for _ in range(3):
            yield sum(it() is not None for it in references)
            x = batch(size)
            out = net(x)
            out.sum().backward()
            references = refer(x, out, *[it.grad for it in net.parameters()])
            net.zero_grad()
            del x, out

    with watching():
        assert list(rounds()) == [0, 0, 0]


def test_nothing_is_held_by_the_names_of_a_module(
    watching: Callable[[], AbstractContextManager[object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names of a file are looked up, and may be remembered."""
    net, x = model(4), batch(4)
    monkeypatch.setitem(globals(), "net", net)
    monkeypatch.setitem(globals(), "x", x)
    references = refer(net, x)
    with watching():
        out = eval("net(x)", globals())
        out.sum().backward()
        references += refer(out)
        del net, x, out
        monkeypatch.undo()
        assert [it() for it in references] == [None] * len(references)
