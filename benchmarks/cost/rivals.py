"""Who looks on: our three modes, and others that can be installed beside this torch.

Each is entered for a block of steps and gives what is called in place of the model.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

from benchmarks.cost.works import Forward, Work
from torch import Tensor, nn

import torchtwin
from torchtwin.protocol import Mode

Rival = Callable[[Work], AbstractContextManager[Forward]]


@contextlib.contextmanager
def nobody(work: Work) -> Iterator[Forward]:
    """The control: how far two equal runs lie apart."""
    yield work.model


def torchtwin_in(mode: Mode) -> Rival:
    @contextlib.contextmanager
    def watched(work: Work) -> Iterator[Forward]:
        with torchtwin.watch(mode):
            yield work.model

    return watched


@contextlib.contextmanager
def empty_hook(work: Work) -> Iterator[Forward]:
    handle = nn.modules.module.register_module_forward_hook(lambda *_: None)
    try:
        yield work.model
    finally:
        handle.remove()


@contextlib.contextmanager
def flop_counter(work: Work) -> Iterator[Forward]:
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False):
        yield work.model


@contextlib.contextmanager
def debug_mode(work: Work) -> Iterator[Forward]:
    from torch.utils._debug_mode import DebugMode

    with DebugMode():
        yield work.model


@contextlib.contextmanager
def torchlens(work: Work) -> Iterator[Forward]:
    import torchlens

    with _last_output(work.model) as last:

        def traced(x: Tensor) -> Tensor:
            torchlens.trace(work.model, x)
            return last()

        yield traced


@contextlib.contextmanager
def nnsight(work: Work) -> Iterator[Forward]:
    """Saves what every linear layer took and gave."""
    from nnsight import NNsight

    wrapped = NNsight(work.model)
    layers = [
        wrapped.get(name) if name else wrapped for name, it in work.model.named_modules() if type(it) is nn.Linear
    ]
    with _last_output(work.model) as last:

        def saving(x: Tensor) -> Tensor:
            with wrapped.trace(x):
                saved = [(it.input.save(), it.output.save()) for it in layers]  # noqa: F841
            return last()

        yield saving


@contextlib.contextmanager
def wandb(work: Work) -> Iterator[Forward]:
    """Histograms of weights and gradients, at each step."""
    os.environ["WANDB_SILENT"] = "true"
    import wandb

    with tempfile.TemporaryDirectory() as folder, wandb.init(mode="offline", dir=folder) as run:
        run.watch(work.model, log="all", log_freq=1)

        def logged(x: Tensor) -> Tensor:
            output: Tensor = work.model(x)
            run.log({})
            return output

        try:
            yield logged
        finally:
            run.unwatch(work.model)


@contextlib.contextmanager
def _last_output(model: nn.Module) -> Iterator[Callable[[], Tensor]]:
    """What the model gave when it ran last, for those who do not return it."""
    outputs: list[Any] = []
    handle = model.register_forward_hook(lambda *it: outputs.append(it[-1]))
    try:
        yield outputs.pop
    finally:
        handle.remove()


CONTROL = "nobody (control)"
OURS: dict[str, Rival] = {mode: torchtwin_in(mode) for mode in ("shapes", "auto", "every")}
PEERS: dict[str, Rival] = {
    "empty global forward hook": empty_hook,
    "FlopCounterMode": flop_counter,
    "DebugMode": debug_mode,
    "torchlens.trace": torchlens,
    "nnsight": nnsight,
    "wandb.watch, offline": wandb,
}
RIVALS: dict[str, Rival] = {CONTROL: nobody, **OURS, **PEERS}
NEEDS = {
    "DebugMode": "torch.utils._debug_mode",
    "torchlens.trace": "torchlens",
    "nnsight": "nnsight",
    "wandb.watch, offline": "wandb",
}


def missing(rival: str) -> str | None:
    """The module that is not installed."""
    needed = NEEDS.get(rival)
    return needed if needed is not None and importlib.util.find_spec(needed) is None else None
