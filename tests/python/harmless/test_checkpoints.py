"""Both kinds of checkpoints recompute what they did, and draw the same random numbers twice.

A recomputation that is not reentrant stops as soon as it has what the backward needs, by an exception from within its
last layer: that call never returns, and is not recorded a second time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import (
    checkpoint,
    checkpoint_sequential,
    create_selective_checkpoint_contexts,
    set_checkpoint_early_stop,
)

from torchtwin.protocol import Call

Harmless = Callable[..., list[Call]]
Step = Callable[..., object]
BOTH_KINDS = pytest.mark.parametrize("reentrant", [True, False], ids=["reentrant", "not reentrant"])


def model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.ReLU(), nn.Linear(8, 4))


def x() -> Tensor:
    return torch.randn(5, 4, requires_grad=True)


@BOTH_KINDS
def test_a_checkpointed_model(harmless: Harmless, step: Step, reentrant: bool) -> None:
    def program(model: nn.Module, x: Tensor) -> object:
        return step(lambda it: checkpoint(model, it, use_reentrant=reentrant), x)

    harmless(program, model(), x(), recorded=4 if reentrant else 3)


@BOTH_KINDS
def test_checkpoints_within_checkpoints(harmless: Harmless, step: Step, reentrant: bool) -> None:
    def twice(model: nn.Module, x: Tensor) -> Any:
        return checkpoint(model, checkpoint(model, x, use_reentrant=reentrant), use_reentrant=reentrant)

    def program(model: nn.Module, x: Tensor) -> object:
        return step(lambda it: checkpoint(twice, model, it, use_reentrant=reentrant), x)

    harmless(program, model(), x(), recorded=None if reentrant else 8)


@BOTH_KINDS
def test_the_parts_of_a_sequence(harmless: Harmless, step: Step, reentrant: bool) -> None:
    def program(model: nn.Sequential, x: Tensor) -> object:
        return step(lambda it: checkpoint_sequential(model, 2, it, use_reentrant=reentrant), x)

    harmless(program, model(), x())


def test_a_single_layer(harmless: Harmless, step: Step) -> None:
    def program(model: nn.Module, x: Tensor) -> object:
        return step(lambda it: checkpoint(model, it, use_reentrant=False), x)

    harmless(program, nn.Linear(4, 3), x(), recorded=1)


def test_a_recomputation_that_runs_to_its_end(harmless: Harmless, step: Step) -> None:
    def program(model: nn.Module, x: Tensor) -> object:
        with set_checkpoint_early_stop(False):
            return step(lambda it: checkpoint(model, it, use_reentrant=False), x)

    harmless(program, model(), x(), recorded=4)


def test_a_selective_checkpoint(harmless: Harmless, step: Step) -> None:
    def contexts() -> Any:
        return create_selective_checkpoint_contexts([torch.ops.aten.addmm.default])

    def program(model: nn.Module, x: Tensor) -> object:
        return step(lambda it: checkpoint(model, it, use_reentrant=False, context_fn=contexts), x)

    harmless(program, model(), x(), recorded=3)


def test_a_checkpoint_under_autocast(harmless: Harmless, step: Step) -> None:
    def program(model: nn.Module, x: Tensor) -> object:
        with torch.autocast("cpu"):
            return step(lambda it: checkpoint(model, it, use_reentrant=False), x)

    harmless(program, model(), x(), recorded=3)
