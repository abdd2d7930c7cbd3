"""Several threads at once: each computes what it would alone, and each call is recorded as what it was."""

from __future__ import annotations

import copy
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

import torchtwin
from torchtwin.kernel.cells import Cell
from torchtwin.kernel.session import session
from torchtwin.protocol import Call

Harmless = Callable[..., list[Call]]
THREADS, ROUNDS = 4, 10


def model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))


def batches() -> list[Tensor]:
    return [torch.randn(5, 4) for _ in range(THREADS)]


def at_once(work: Callable[[int], object]) -> list[Any]:
    """All begin together."""
    barrier = threading.Barrier(THREADS, timeout=30)

    def begin(number: int) -> object:
        barrier.wait()
        return work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(begin, range(THREADS)))


def honest(calls: list[Call]) -> bool:
    """Whether nothing was mixed up: a call held against another's operands would be `different`."""
    gradients = [it for call in calls for it in (call.gradients.weight, call.gradients.bias, call.gradients.input)]
    verdicts = [*[call.forward for call in calls], *[it for it in gradients if it is not None]]
    return all(it.kind != "different" for it in verdicts)


def test_models_that_are_trained_at_once(harmless: Harmless) -> None:
    def program(models: list[nn.Module], batches: list[Tensor]) -> object:
        def train(number: int) -> list[Tensor]:
            net, losses = models[number], []
            optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
            for _ in range(ROUNDS):
                optimizer.zero_grad()
                loss = net(batches[number]).pow(2).mean()
                loss.backward()
                optimizer.step()
                losses.append(loss)
            return losses

        return at_once(train)

    models = [model() for _ in range(THREADS)]
    calls = harmless(program, models, batches(), recorded=2 * THREADS * ROUNDS)
    assert honest(calls)


def test_one_model_that_several_threads_ask(harmless: Harmless) -> None:
    def program(net: nn.Module, batches: list[Tensor]) -> object:
        def ask(number: int) -> list[object]:
            done = []
            for _ in range(ROUNDS):
                out = net(batches[number])
                done.append([out, torch.autograd.grad(out.pow(2).sum(), list(net.parameters()))])
            return done

        return at_once(ask)

    calls = harmless(program, model(), batches(), recorded=2 * THREADS * ROUNDS)
    assert honest(calls)


def test_replicas_that_share_their_weights(harmless: Harmless) -> None:
    """As `DataParallel` runs them: a replica in each thread, and one backward through all."""

    def replica(net: nn.Sequential) -> nn.Module:
        made = copy.copy(net)
        made._modules = {name: copy.copy(layer) for name, layer in net._modules.items()}
        return made

    def program(net: nn.Sequential, batches: list[Tensor]) -> object:
        replicas = [replica(net) for _ in batches]
        outputs = at_once(lambda number: replicas[number](batches[number]))
        torch.cat(outputs).pow(2).mean().backward()
        return outputs

    calls = harmless(program, model(), batches(), recorded=2 * THREADS)
    assert honest(calls)
    assert Counter(str(call.operands.output.shape) for call in calls if call.operands.output) == {
        "[5, 8]": THREADS,
        "[5, 3]": THREADS,
    }


def test_each_call_has_the_numbers_of_its_own_thread(
    watched_every: Callable[[], AbstractContextManager[object]],
) -> None:
    def work(number: int) -> None:
        layer = nn.Linear(1, 1, bias=False)
        layer.weight.data.fill_(number)
        for round in range(ROUNDS):
            layer(torch.full((1, 1), float(round))).backward()

    session.cell_begins(Cell("id", 1, "<cell>", "", ""))  # numbers travel with the first calls of a cell
    with watched_every():
        at_once(work)
    session.cell_ended()
    seen = [(it["values"]["weight"], it["values"]["input"], it["values"]["output"]) for it in torchtwin.records()]
    expected = [([float(n)], [float(i)], [float(n * i)]) for n in range(THREADS) for i in range(ROUNDS)]
    assert sorted(seen) == sorted(expected)
    gradients = [(it["values"]["input"], it["values"]["grad_weight"]) for it in torchtwin.records()]
    assert all(given == gradient for given, gradient in gradients)


def test_threads_that_toggle_the_watch_while_others_call() -> None:
    net, done = model(), threading.Event()
    given = batches()
    expected = [net(x) for x in given]

    def work(number: int) -> bool:
        if number == 0:
            for _ in range(50):
                with torchtwin.watch():
                    pass
            done.set()
            return True
        same = True
        while not done.is_set():
            out = net(given[number])
            same = same and torch.equal(out, expected[number])
            torch.autograd.grad(out.sum(), list(net.parameters()))
        return same

    assert at_once(work) == [True] * THREADS
